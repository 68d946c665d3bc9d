import type { BlockPool } from "./blocks.ts";
import { NinePError } from "./errno.ts";
import { FileContent } from "./file-content.ts";
import type { Time } from "./filesystem.ts";
import type { ImageTree } from "./image-tree.ts";
import { isDirectory, isRegular, isSymlink, MAX_INODE } from "./protocol.ts";
import { UpperDirectory, UpperNode } from "./upper-node.ts";

export interface Quota {
  bytes: number;
  inodes: number;
}

export interface Usage {
  bytes: number;
  inodes: number;
}

export interface UpperLayerOptions {
  image: ImageTree;
  blocks: BlockPool;
  quota: Quota;
  now: () => Time;
}

/**
 * The upper layer's nodes by inode number, and what they cost. Nodes that are new count as inodes; bytes are those
 * of allocated blocks, names, link targets and extended attributes, so that nothing a guest makes is free of charge.
 */
export class UpperLayer {
  readonly image: ImageTree;
  readonly blocks: BlockPool;
  readonly quota: Quota;
  readonly now: () => Time;
  readonly nodes = new Map<number, UpperNode>();
  /** Number of fids by inode. */
  readonly #references = new Map<number, number>();
  nextIno: number;
  #bytes = 0;
  #inodes = 0;

  constructor(options: UpperLayerOptions) {
    this.image = options.image;
    this.blocks = options.blocks;
    this.quota = options.quota;
    this.now = options.now;
    this.nextIno = this.image.lastIno + 1;
  }

  get usage(): Usage {
    return { bytes: this.#bytes, inodes: this.#inodes };
  }

  /** ENOSPC before anything is changed. Giving back (`bytes` below 0) always works. */
  reserve(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.quota.bytes) {
      throw new NinePError("ENOSPC", "the sandbox's disk is full");
    }
  }

  charge(bytes: number): void {
    this.#bytes += bytes;
  }

  reserveInode(): void {
    if (this.#inodes >= this.quota.inodes || this.nextIno > MAX_INODE) {
      throw new NinePError("ENOSPC", "the sandbox has too many files");
    }
  }

  create(mode: number): UpperNode {
    const node = new UpperNode(this.nextIno++, mode, this.now());
    this.adopt(node);
    return node;
  }

  /** A node that is new or loaded. */
  adopt(node: UpperNode): void {
    this.nodes.set(node.ino, node);
    if (!this.image.has(node.ino)) this.#inodes++;
  }

  /** The node to change: a copy of the image's attributes the first time, never of its contents. */
  copyUp(ino: number): UpperNode {
    const known = this.nodes.get(ino);
    if (known !== undefined) return known;
    const node = this.copyOf(ino);
    this.nodes.set(ino, node);
    return node;
  }

  /** The image's node as an upper one that nobody knows yet. */
  copyOf(ino: number): UpperNode {
    const lower = this.image.node(ino);
    const node = new UpperNode(ino, lower.mode, { sec: lower.mtimeSec, nsec: 0 });
    node.uid = lower.uid;
    node.gid = lower.gid;
    node.nlink = lower.nlink;
    node.rdev = lower.rdev;
    if (isSymlink(lower.mode)) node.target = lower.text;
    if (isRegular(lower.mode)) node.content = new FileContent(this, ino, lower.size);
    if (isDirectory(lower.mode)) node.directory = new UpperDirectory(lower.parent, ino);
    return node;
  }

  isReferenced(ino: number): boolean {
    return this.#references.has(ino);
  }

  retain(ino: number): void {
    this.#references.set(ino, (this.#references.get(ino) ?? 0) + 1);
  }

  forget(ino: number): void {
    const count = this.#references.get(ino) ?? 0;
    if (count > 1) {
      this.#references.set(ino, count - 1);
      return;
    }
    this.#references.delete(ino);
    const node = this.nodes.get(ino);
    if (node?.nlink === 0) this.#destroy(node);
  }

  /** One name less; without names and fids the node is gone. */
  dropName(ino: number): void {
    // A file of the image that nobody holds is just not to be found any more.
    if (!this.nodes.has(ino) && !this.isReferenced(ino)) return;
    const node = this.copyUp(ino);
    node.nlink = node.directory === undefined ? node.nlink - 1 : 0;
    node.ctime = this.now();
    if (node.nlink === 0 && !this.isReferenced(ino)) this.#destroy(node);
  }

  /** Everything that the node itself is charged; the image's link targets are free. */
  costOf(node: UpperNode): number {
    let bytes = node.content?.allocatedBytes ?? 0;
    if (!this.image.has(node.ino)) bytes += node.target.length;
    for (const [name, value] of node.xattrs ?? []) bytes += xattrBytes(name, value);
    return bytes;
  }

  clear(): void {
    this.nodes.clear();
    this.#references.clear();
    this.blocks.clear();
    this.nextIno = this.image.lastIno + 1;
    this.#bytes = 0;
    this.#inodes = 0;
  }

  #destroy(node: UpperNode): void {
    this.#bytes -= this.costOf(node);
    node.content?.free();
    this.nodes.delete(node.ino);
    if (!this.image.has(node.ino)) this.#inodes--;
  }
}

/** Cost of a name in an upper directory: the memory it takes. */
export function entryBytes(name: string): number {
  return 64 + name.length;
}

export function xattrBytes(name: string, value: Uint8Array): number {
  return 64 + name.length + value.length;
}
