import { NinePError } from "./errno.ts";
import { FileContent } from "./file-content.ts";
import type { Time } from "./filesystem.ts";
import { entryBytes, type UpperLayer } from "./upper-layer.ts";
import { UpperDirectory, UpperNode } from "./upper-node.ts";

/** An upper layer as plain JSON. File contents are references into blobs. */
export interface OverlayState {
  version: 1;
  /** Of the image: a state fits no other. */
  lastLowerIno: number;
  nextIno: number;
  /** Hashes of the blobs that hold file contents; `blobsOf` gives them to collectors. */
  blobs: string[];
  nodes: NodeState[];
}

interface NodeState {
  /** ino, mode, uid, gid, nlink, rdev, then atime, mtime and ctime as seconds and nanoseconds. */
  a: number[];
  /** Link target. */
  l?: string;
  f?: ContentState;
  d?: DirectoryState;
  /** Name and value (base64) of each extended attribute. */
  x?: [name: string, value: string][];
}

interface ContentState {
  size: number;
  /** How far the image's file shows through. */
  lower: number;
  /** Four numbers each: index in the file, index in `blobs`, offset in the blob, length. */
  blocks: number[];
}

interface DirectoryState {
  parent: number;
  lower: number;
  next: number;
  /** Name, inode, position; by position. */
  entries: (string | number)[];
  /** Names of the image that are not there any more. */
  hidden: string[];
}

/** Hashes of all blobs that a saved upper layer needs. */
export function blobsOf(state: OverlayState): readonly string[] {
  return state.blobs;
}

export function saveUpper(upper: UpperLayer): OverlayState {
  upper.blocks.seal();
  const blobs = new Map<string, number>();
  const nodes: NodeState[] = [];
  for (const node of upper.nodes.values()) {
    // Without names and fids, nothing could ever reach it again.
    if (node.nlink === 0 && !upper.isReferenced(node.ino)) continue;
    nodes.push(saveNode(upper, node, blobs));
  }
  return {
    version: 1,
    lastLowerIno: upper.image.lastIno,
    nextIno: upper.nextIno,
    blobs: [...blobs.keys()],
    nodes,
  };
}

export function loadUpper(upper: UpperLayer, state: OverlayState | undefined): void {
  if (state !== undefined && (state.version !== 1 || state.lastLowerIno !== upper.image.lastIno)) {
    throw new NinePError("EINVAL", "the saved files belong to another image");
  }
  upper.clear();
  if (state === undefined) return;
  upper.nextIno = state.nextIno;
  for (const saved of state.nodes) {
    const node = loadNode(upper, saved, state.blobs);
    upper.adopt(node);
    upper.charge(upper.costOf(node));
    for (const [name, entry] of node.directory?.entries ?? []) {
      if (entry.ino !== 0) upper.charge(entryBytes(name));
    }
  }
}

function saveNode(upper: UpperLayer, node: UpperNode, blobs: Map<string, number>): NodeState {
  const { ino, mode, uid, gid, nlink, rdev, atime, mtime, ctime } = node;
  const times = [atime, mtime, ctime].flatMap(({ sec, nsec }) => [sec, nsec]);
  const state: NodeState = { a: [ino, mode, uid, gid, nlink, rdev, ...times] };
  if (node.target !== "") state.l = node.target;
  if (node.content !== undefined) state.f = saveContent(upper, node.content, blobs);
  if (node.directory !== undefined) state.d = saveDirectory(node.directory);
  if (node.xattrs !== undefined) {
    state.x = [...node.xattrs].map(([name, value]) => [
      name,
      Buffer.from(value).toString("base64"),
    ]);
  }
  return state;
}

function saveContent(
  upper: UpperLayer,
  content: FileContent,
  blobs: Map<string, number>,
): ContentState {
  const blocks: number[] = [];
  for (const [index, block] of content.blocks()) {
    const { pack, offset, length } = upper.blocks.reference(block);
    const blob = blobs.get(pack) ?? blobs.size;
    blobs.set(pack, blob);
    blocks.push(index, blob, offset, length);
  }
  return { size: content.size, lower: content.lowerSize, blocks };
}

function saveDirectory(directory: UpperDirectory): DirectoryState {
  const entries: (string | number)[] = [];
  const hidden: string[] = [];
  for (const [name, { ino, position }] of directory.entries) {
    if (ino === 0) hidden.push(name);
    else entries.push(name, ino, position);
  }
  const { parent, lower, nextPosition } = directory;
  return { parent, lower, next: nextPosition, entries, hidden };
}

function loadNode(upper: UpperLayer, state: NodeState, blobs: string[]): UpperNode {
  const [ino = 0, mode = 0, uid = 0, gid = 0, nlink = 0, rdev = 0, ...times] = state.a;
  const node = new UpperNode(ino, mode, time(times, 0));
  node.uid = uid;
  node.gid = gid;
  node.nlink = nlink;
  node.rdev = rdev;
  node.mtime = time(times, 2);
  node.ctime = time(times, 4);
  node.target = state.l ?? "";
  if (state.f !== undefined) node.content = loadContent(upper, ino, state.f, blobs);
  if (state.d !== undefined) node.directory = loadDirectory(state.d);
  if (state.x !== undefined) {
    node.xattrs = new Map(
      state.x.map(([name, value]) => [name, new Uint8Array(Buffer.from(value, "base64"))]),
    );
  }
  return node;
}

function time(numbers: number[], at: number): Time {
  return { sec: numbers[at] ?? 0, nsec: numbers[at + 1] ?? 0 };
}

function loadContent(
  upper: UpperLayer,
  ino: number,
  state: ContentState,
  blobs: string[],
): FileContent {
  const content = new FileContent(upper, ino, state.lower);
  content.size = state.size;
  const { blocks } = state;
  for (let i = 0; i < blocks.length; i += 4) {
    const pack = blobs[blocks[i + 1] ?? -1] ?? "";
    const reference = { pack, offset: blocks[i + 2] ?? 0, length: blocks[i + 3] ?? 0 };
    content.restoreBlock(blocks[i] ?? 0, upper.blocks.restore(reference));
  }
  return content;
}

function loadDirectory(state: DirectoryState): UpperDirectory {
  const directory = new UpperDirectory(state.parent, state.lower);
  for (const name of state.hidden) directory.hide(name);
  for (let i = 0; i < state.entries.length; i += 3) {
    const [name, ino, position] = state.entries.slice(i, i + 3);
    directory.entries.set(String(name), { ino: Number(ino), position: Number(position) });
  }
  directory.nextPosition = state.next;
  return directory;
}
