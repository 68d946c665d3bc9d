import { readFileSync } from "node:fs";
import { NinePError } from "./errno.ts";
import { type Attributes, encodeDevice } from "./filesystem.ts";
import { FlatFiles, type FlatFilesOptions, isFlatName } from "./flat-files.ts";
import { isEntryName, toByteString } from "./names.ts";
import { isDirectory, isSymlink, S_IFDIR, S_IFMT, S_IFREG, TARGET_MAX } from "./protocol.ts";

/** The image cannot be used as it is: its index is not what v86's `fs2json.py` writes. */
export class ImageTreeError extends Error {
  override readonly name = "ImageTreeError";
  readonly code = "BAD_IMAGE_INDEX";
}

export interface ImageTreeOptions extends FlatFilesOptions {
  /** The parsed `fs.json`. */
  index: unknown;
}

interface LowerNode {
  readonly name: string;
  readonly parent: number;
  size: number;
  mtimeSec: number;
  readonly mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** Link target, flat file, or nothing. */
  text: string;
  rdev: number;
  /** Children of a directory are neighbours: the first one's inode and their number. */
  firstChild: number;
  childCount: number;
}

const MAX_NODES = 2 ** 24;
const DIRECTORY_BYTES = 4096;

/**
 * The immutable lower layer: v86's `fs.json` version 3 and its folder of flat files.
 *
 * An inode number is the node's position in the tree, level by level from the root's 1, so that snapshots of one
 * image can name lower files on any host.
 */
export class ImageTree {
  readonly root = 1;
  readonly #nodes: LowerNode[];
  readonly #files: FlatFiles;
  /** Made when a directory is first looked into. */
  readonly #children = new Map<number, Map<string, number>>();

  /** @example ImageTree.open("image/fs.json", { folder: "image/files" }) */
  static open(indexPath: string, options: FlatFilesOptions): ImageTree {
    let index: unknown;
    try {
      index = JSON.parse(readFileSync(indexPath, "utf8"));
    } catch (cause) {
      throw new ImageTreeError(`cannot read the image's index ${indexPath}`, { cause });
    }
    return new ImageTree({ ...options, index });
  }

  constructor(options: ImageTreeOptions) {
    this.#nodes = parseIndex(options.index);
    this.#files = new FlatFiles(options);
  }

  /** Inode numbers run from 1 to this. */
  get lastIno(): number {
    return this.#nodes.length;
  }

  has(ino: number): boolean {
    return ino >= 1 && ino <= this.#nodes.length;
  }

  node(ino: number): Readonly<LowerNode> {
    const node = this.#nodes[ino - 1];
    if (node === undefined) throw new NinePError("ESTALE", `no inode ${ino}`);
    return node;
  }

  /** 0 where the directory has no such name. */
  child(directory: number, name: string): number {
    let names = this.#children.get(directory);
    if (names === undefined) {
      names = new Map();
      const { firstChild, childCount } = this.node(directory);
      for (let i = 0; i < childCount; i++)
        names.set(this.node(firstChild + i).name, firstChild + i);
      this.#children.set(directory, names);
    }
    return names.get(name) ?? 0;
  }

  getattr(ino: number, into: Attributes): void {
    const node = this.node(ino);
    into.mode = node.mode;
    into.uid = node.uid;
    into.gid = node.gid;
    into.nlink = node.nlink;
    into.rdev = node.rdev;
    into.size = node.size;
    into.blocks = isSymlink(node.mode) ? 0 : Math.ceil(node.size / 4096) * 8;
    into.atimeSec = into.mtimeSec = into.ctimeSec = node.mtimeSec;
    into.atimeNsec = into.mtimeNsec = into.ctimeNsec = 0;
  }

  /** Fills `into` with the file's bytes from `offset` on; all of them must lie within the file. */
  read(ino: number, offset: number, into: Uint8Array): void {
    const { text, size } = this.node(ino);
    this.#files.read(text, size, offset, into);
  }

  close(): void {
    this.#files.close();
  }
}

function parseIndex(index: unknown): LowerNode[] {
  const { version, fsroot } = (index ?? {}) as { version?: unknown; fsroot?: unknown };
  if (version !== 3) throw new ImageTreeError(`the image's index has version ${version}, not 3`);
  if (!Array.isArray(fsroot)) throw new ImageTreeError("the image's index has no tree");

  const root = lowerNode("", 1, S_IFDIR | 0o755);
  const nodes = [root];
  const folders: { ino: number; children: unknown[] }[] = [{ ino: 1, children: fsroot }];
  for (const { ino, children } of folders) {
    const parent = nodes[ino - 1] ?? root;
    parent.firstChild = nodes.length + 1;
    parent.childCount = children.length;
    if (nodes.length + children.length > MAX_NODES) throw new ImageTreeError("too many files");
    const names = new Set<string>();
    for (const child of children) {
      const { node, children: below } = parseNode(child, ino);
      if (names.has(node.name)) throw new ImageTreeError(`two entries named ${show(node.name)}`);
      names.add(node.name);
      nodes.push(node);
      if (below === undefined) continue;
      parent.nlink++;
      folders.push({ ino: nodes.length, children: below });
    }
  }
  return nodes;
}

/** [name, size, mtime, mode, uid, gid, X] */
function parseNode(raw: unknown, parent: number): { node: LowerNode; children?: unknown[] } {
  if (!Array.isArray(raw)) throw new ImageTreeError("an entry of the image's index is not a list");
  const [rawName, size, mtime, mode, uid, gid, extra] = raw as unknown[];
  const name = typeof rawName === "string" ? toByteString(rawName) : "";
  if (!isEntryName(name))
    throw new ImageTreeError(`the image's index has a bad name: ${show(rawName)}`);
  // One object, filled in below: there are ten thousands of them at each start.
  const node = lowerNode(name, parent, whole(mode, name));
  node.size = whole(size, name);
  node.mtimeSec = whole(mtime ?? 0, name);
  node.uid = whole(uid ?? 0, name);
  node.gid = whole(gid ?? 0, name);

  if (isDirectory(node.mode)) {
    const children = extra ?? [];
    if (!Array.isArray(children)) throw new ImageTreeError(`${show(name)} has no list of children`);
    node.size = DIRECTORY_BYTES;
    return { node, children };
  }
  if (isSymlink(node.mode)) {
    const target = typeof extra === "string" ? toByteString(extra) : "";
    if (target === "" || target.length > TARGET_MAX || target.includes("\0")) {
      throw new ImageTreeError(`${show(name)} is a link to nowhere`);
    }
    node.size = target.length;
    node.text = target;
    return { node };
  }
  if ((node.mode & S_IFMT) === S_IFREG) {
    if (typeof extra === "string" ? !isFlatName(extra) : extra !== undefined || node.size > 0) {
      throw new ImageTreeError(`${show(name)} has no usable flat file: ${show(extra)}`);
    }
    if (typeof extra === "string") node.text = extra;
    return { node };
  }
  if ((node.mode & S_IFMT) === 0) throw new ImageTreeError(`${show(name)} has a mode without type`);
  const [major = 0, minor = 0] = Array.isArray(extra) ? extra.map(Number) : [];
  node.size = 0;
  node.rdev = encodeDevice(major, minor);
  return { node };
}

function lowerNode(name: string, parent: number, mode: number): LowerNode {
  return {
    name,
    parent,
    size: 0,
    mtimeSec: 0,
    mode: mode & (S_IFMT | 0o7777),
    uid: 0,
    gid: 0,
    nlink: isDirectory(mode) ? 2 : 1,
    text: "",
    rdev: 0,
    firstChild: 0,
    childCount: 0,
  };
}

function whole(value: unknown, name: string): number {
  if (typeof value !== "number" || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) {
    throw new ImageTreeError(`${show(name)} has a number that is none: ${show(value)}`);
  }
  return Math.floor(value);
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}
