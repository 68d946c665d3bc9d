import type { DirectoryNode, Node } from "./tree.ts";

/**
 * The root tree in v86's fs.json, version 3 (v86 `tools/fs2json.py`, `lib/filesystem.js`): a node is
 * `[name, size, mtime, mode, uid, gid, X]`, mode with the type bits, X the children, the link's target or the
 * flat file's name. v86 has no devices; ours have `[major, minor]` for X, pipes nothing. Names that were hard
 * links share a flat file and are files of their own.
 */
export type FsJsonNode =
  | [name: string, size: number, mtime: number, mode: number, uid: number, gid: number]
  | [
      name: string,
      size: number,
      mtime: number,
      mode: number,
      uid: number,
      gid: number,
      content: string | FsJsonNode[] | [major: number, minor: number],
    ];

export interface FsJson {
  fsroot: FsJsonNode[];
  version: 3;
  /** Bytes of all files together. */
  size: number;
}

const TYPE_BITS: Record<Node["kind"], number> = {
  fifo: 0o010000,
  char: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
};

export function toFsJson(root: DirectoryNode): FsJson {
  let total = 0;
  const convert = (name: string, node: Node): FsJsonNode => {
    const size = node.kind === "file" ? node.size : 0;
    total += size;
    const { uid, gid } = node;
    // 9P has no times before 1970.
    const mtime = Math.max(0, node.mtime);
    const mode = node.mode | TYPE_BITS[node.kind];
    switch (node.kind) {
      case "file":
        return [name, size, mtime, mode, uid, gid, node.flat];
      case "symlink":
        return [name, Buffer.byteLength(node.target), mtime, mode, uid, gid, node.target];
      case "directory":
        return [name, 0, mtime, mode, uid, gid, children(node)];
      case "fifo":
        return [name, 0, mtime, mode, uid, gid];
      default:
        return [name, 0, mtime, mode, uid, gid, [node.major, node.minor]];
    }
  };
  const children = (node: DirectoryNode): FsJsonNode[] =>
    [...node.children]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, child]) => convert(name, child));

  const fsroot = children(root);
  return { fsroot, version: 3, size: total };
}
