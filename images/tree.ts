import { ImageError } from "./errors.ts";

/** A root tree in memory: names and attributes; the bytes of files are in a `FlatFiles` folder. */
export type Node = FileNode | DirectoryNode | SymlinkNode | DeviceNode | PipeNode;

interface Attributes {
  /** Permission bits with setuid, setgid and sticky; no type bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
}
export interface FileNode extends Attributes {
  kind: "file";
  size: number;
  /** Name in the folder of flat files. */
  flat: string;
}
export interface DirectoryNode extends Attributes {
  kind: "directory";
  children: Map<string, Node>;
}
export interface SymlinkNode extends Attributes {
  kind: "symlink";
  target: string;
}
export interface DeviceNode extends Attributes {
  kind: "char" | "block";
  major: number;
  minor: number;
}
export interface PipeNode extends Attributes {
  kind: "fifo";
}

export function emptyRoot(): DirectoryNode {
  return directory(0);
}

export function directory(mtime: number): DirectoryNode {
  return { kind: "directory", mode: 0o755, uid: 0, gid: 0, mtime, children: new Map() };
}

/** The node at a path, symbolic links not followed. */
export function lookup(root: DirectoryNode, path: string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const name of path) {
    if (node?.kind !== "directory") return undefined;
    node = node.children.get(name);
  }
  return node;
}

/**
 * Put a node in place, with the directories above it. Replaces what stands there, but a directory that comes
 * again keeps its children: archives may name one twice.
 */
export function insert(root: DirectoryNode, path: string[], node: Node): void {
  const name = path.at(-1);
  if (name === undefined) {
    if (node.kind !== "directory") {
      throw new ImageError("BAD_ARCHIVE", "The root of the tree must be a directory.");
    }
    Object.assign(root, { ...node, children: root.children });
    return;
  }
  const parent = makeDirectories(root, path.slice(0, -1), node.mtime);
  const old = parent.children.get(name);
  if (old?.kind === "directory" && node.kind === "directory") node.children = old.children;
  parent.children.set(name, node);
}

/**
 * The path with symbolic links to directories followed, as the guest would: a merged-/usr tree has
 * `lib/modules` at `usr/lib/modules`. Components that do not exist yet stay as they are.
 */
export function resolveLinks(root: DirectoryNode, path: string[], depth = 0): string[] {
  if (depth > 40) throw new ImageError("BAD_ROOT", `Too many links in /${path.join("/")}.`);
  for (let length = 1; length <= path.length; length++) {
    const node = lookup(root, path.slice(0, length));
    if (node?.kind !== "symlink") continue;
    const target = node.target.startsWith("/") ? [] : path.slice(0, length - 1);
    for (const part of node.target.split("/")) {
      if (part === "..") target.pop();
      else if (part !== "" && part !== ".") target.push(part);
    }
    return resolveLinks(root, [...target, ...path.slice(length)], depth + 1);
  }
  return path;
}

/** Every node below, parents first, in the order of their names, so that equal trees walk equally. */
export function* walk(
  directory: DirectoryNode,
  path: string[] = [],
): Generator<{ path: string[]; node: Node }> {
  for (const name of [...directory.children.keys()].sort()) {
    const node = directory.children.get(name);
    if (node === undefined) continue;
    const here = [...path, name];
    yield { path: here, node };
    if (node.kind === "directory") yield* walk(node, here);
  }
}

function makeDirectories(root: DirectoryNode, path: string[], mtime: number): DirectoryNode {
  let parent = root;
  for (const [depth, name] of path.entries()) {
    let child = parent.children.get(name);
    if (child === undefined) {
      child = directory(mtime);
      parent.children.set(name, child);
    }
    if (child.kind !== "directory") {
      // Writing through a link of the archive's own making is how archives escape; none of ours needs it.
      const place = `/${path.slice(0, depth + 1).join("/")}`;
      throw new ImageError(
        "BAD_ARCHIVE",
        `The archive puts a file below ${place}, which is not a directory.`,
      );
    }
    parent = child;
  }
  return parent;
}
