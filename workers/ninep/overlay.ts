import { NinePError } from "./errno.ts";
import { FileContent } from "./file-content.ts";
import type {
  AttributeChanges,
  Attributes,
  EmitEntry,
  FileSystem,
  FileSystemStatistics,
  NewNode,
  XattrMode,
} from "./filesystem.ts";
import { loadUpper, type OverlayState, saveUpper } from "./overlay-state.ts";
import { isDirectory, isRegular, S_ISGID, S_ISUID, S_IXGRP } from "./protocol.ts";
import {
  entryBytes,
  UpperLayer,
  type UpperLayerOptions,
  type Usage,
  xattrBytes,
} from "./upper-layer.ts";
import { UpperDirectory, type UpperNode } from "./upper-node.ts";

export type { OverlayState } from "./overlay-state.ts";

/** ext4's: 16 TiB, which a 32-bit guest cannot pass either. */
const MAX_FILE_BYTES = 2 ** 44 - 4096;
/** More in one call is taken in parts, so that it always fits into the pool's memory. */
const MAX_WRITE_BYTES = 512 * 1024;
/** ext4's EXT4_LINK_MAX. */
const MAX_LINKS = 65000;
const STATFS_BLOCK_BYTES = 4096;
/** XATTR_LIST_MAX */
const MAX_XATTR_LIST_BYTES = 65536;

/**
 * A copy-on-write file system: the image below, which never changes, and above it whatever the guest did.
 *
 * Access times stay as they were set: counting reads would make every read a change to be saved.
 */
export class Overlay implements FileSystem {
  readonly root: number;
  readonly #upper: UpperLayer;

  constructor(options: UpperLayerOptions) {
    this.#upper = new UpperLayer(options);
    this.root = options.image.root;
  }

  usage(): Usage {
    return this.#upper.usage;
  }

  /** Puts changed blocks into the blob store, then gives the upper layer as JSON. */
  save(): OverlayState {
    return saveUpper(this.#upper);
  }

  /** Drops the upper layer and takes up another; `undefined` is an empty one. `NinePServer.load` comes after it. */
  load(state: OverlayState | undefined): void {
    loadUpper(this.#upper, state);
  }

  lookup(directory: number, name: string): number {
    const upper = this.#folder(directory);
    if (upper === undefined) return this.#upper.image.child(directory, name);
    const entry = upper.entries.get(name);
    if (entry !== undefined) return entry.ino;
    return upper.lower === 0 ? 0 : this.#upper.image.child(upper.lower, name);
  }

  modeOf(ino: number): number {
    return this.#upper.nodes.get(ino)?.mode ?? this.#upper.image.node(ino).mode;
  }

  getattr(ino: number, into: Attributes): void {
    const node = this.#upper.nodes.get(ino);
    if (node !== undefined) node.getattr(into);
    else this.#upper.image.getattr(ino, into);
  }

  setattr(ino: number, changes: AttributeChanges): void {
    const { size } = changes;
    if (size !== undefined) {
      const mode = this.modeOf(ino);
      if (isDirectory(mode)) throw new NinePError("EISDIR");
      if (!isRegular(mode)) throw new NinePError("EINVAL");
      if (size > MAX_FILE_BYTES) throw new NinePError("EFBIG");
    }
    const node = this.#upper.copyUp(ino);
    const now = this.#upper.now();
    node.ctime = now;
    if (changes.mode !== undefined) node.mode = (node.mode & ~0o7777) | changes.mode;
    if (changes.uid !== undefined) node.uid = changes.uid;
    if (changes.gid !== undefined) node.gid = changes.gid;
    if (size !== undefined && node.content !== undefined) {
      const before = node.content.allocatedBytes;
      node.content.truncate(size);
      this.#upper.charge(node.content.allocatedBytes - before);
      node.mtime = now;
    }
    if (changes.atime !== undefined) node.atime = changes.atime === "now" ? now : changes.atime;
    if (changes.mtime !== undefined) node.mtime = changes.mtime === "now" ? now : changes.mtime;
  }

  make(directory: number, name: string, given: NewNode): number {
    this.#checkVacant(directory, name);
    const target = given.target ?? "";
    const cost = entryBytes(name) + target.length;
    this.#upper.reserveInode();
    this.#upper.reserve(cost);

    const node = this.#upper.create(given.mode);
    node.uid = given.uid;
    node.gid = given.gid;
    node.rdev = given.rdev ?? 0;
    node.target = target;
    if (isRegular(given.mode)) node.content = new FileContent(this.#upper, node.ino, 0);
    if (isDirectory(given.mode)) {
      node.directory = new UpperDirectory(directory, 0);
      node.nlink = 2;
    }
    this.#upper.charge(target.length);
    this.#addEntry(directory, name, node);
    return node.ino;
  }

  link(directory: number, name: string, ino: number): void {
    this.#checkVacant(directory, name);
    if (isDirectory(this.modeOf(ino))) throw new NinePError("EPERM");
    const nlink = this.#upper.nodes.get(ino)?.nlink ?? 1;
    if (nlink === 0) throw new NinePError("ENOENT", "the file has lost its last name");
    if (nlink >= MAX_LINKS) throw new NinePError("EMLINK");
    this.#upper.reserve(entryBytes(name));
    const node = this.#upper.copyUp(ino);
    node.nlink++;
    node.ctime = this.#upper.now();
    this.#addEntry(directory, name, node);
  }

  unlink(directory: number, name: string, removeDirectory: boolean): void {
    const ino = this.#lookupExisting(directory, name);
    const isFolder = isDirectory(this.modeOf(ino));
    if (isFolder && !removeDirectory) throw new NinePError("EISDIR");
    if (!isFolder && removeDirectory) throw new NinePError("ENOTDIR");
    if (isFolder) this.#checkEmpty(ino);
    this.#removeEntry(directory, name, isFolder);
    this.#upper.dropName(ino);
  }

  rename(fromDirectory: number, fromName: string, toDirectory: number, toName: string): void {
    const ino = this.#lookupExisting(fromDirectory, fromName);
    this.#checkAlive(toDirectory);
    const replaced = this.lookup(toDirectory, toName);
    // Two names of one file: rename(2) says to do nothing.
    if (replaced === ino) return;
    const isFolder = isDirectory(this.modeOf(ino));
    if (isFolder && this.#isWithin(toDirectory, ino)) throw new NinePError("EINVAL");
    if (replaced !== 0) {
      const isReplacedFolder = isDirectory(this.modeOf(replaced));
      if (isFolder && !isReplacedFolder) throw new NinePError("ENOTDIR");
      if (!isFolder && isReplacedFolder) throw new NinePError("EISDIR");
      if (isReplacedFolder) this.#checkEmpty(replaced);
    }
    const freed =
      this.#entryCost(fromDirectory, fromName) + (replaced && this.#entryCost(toDirectory, toName));
    this.#upper.reserve(entryBytes(toName) - freed);

    const node = this.#upper.copyUp(ino);
    this.#removeEntry(fromDirectory, fromName, isFolder);
    if (replaced !== 0) {
      this.#removeEntry(toDirectory, toName, isDirectory(this.modeOf(replaced)));
      this.#upper.dropName(replaced);
    }
    this.#addEntry(toDirectory, toName, node);
    if (node.directory !== undefined) node.directory.parent = toDirectory;
    node.ctime = this.#upper.now();
  }

  readlink(ino: number): string {
    return this.#upper.nodes.get(ino)?.target ?? this.#upper.image.node(ino).text;
  }

  /**
   * Offsets are places in a fixed order: `.`, `..`, the image's entries, then the upper layer's as they were made.
   * A new entry gets a new place behind all others, and no other entry ever moves.
   */
  readdir(directory: number, offset: number, emit: EmitEntry): void {
    const upper = this.#folder(directory);
    if (upper !== undefined && this.#upper.nodes.get(directory)?.nlink === 0) return;
    const parent = upper?.parent ?? this.#upper.image.node(directory).parent;
    if (offset <= 0 && !emit(directory, this.modeOf(directory), 1, ".")) return;
    if (offset <= 1 && !emit(parent, this.modeOf(parent), 2, "..")) return;

    const { image } = this.#upper;
    const lower = upper === undefined ? directory : upper.lower;
    const { firstChild, childCount } = lower === 0 ? NO_CHILDREN : image.node(lower);
    for (let i = Math.max(0, offset - 2); i < childCount; i++) {
      const { name } = image.node(firstChild + i);
      if (upper?.entries.has(name)) continue;
      if (!emit(firstChild + i, this.modeOf(firstChild + i), i + 3, name)) return;
    }

    const first = childCount + 2;
    for (const [name, entry] of upper?.entries ?? []) {
      if (entry.ino === 0 || first + entry.position < offset) continue;
      if (!emit(entry.ino, this.modeOf(entry.ino), first + entry.position + 1, name)) return;
    }
  }

  open(): void {}

  close(): void {}

  read(ino: number, offset: number, into: Uint8Array): number {
    const node = this.#upper.nodes.get(ino);
    if (node !== undefined) return this.#content(node).read(offset, into);
    const { size } = this.#upper.image.node(ino);
    const count = Math.max(0, Math.min(into.length, size - offset));
    this.#upper.image.read(ino, offset, into.subarray(0, count));
    return count;
  }

  /** Clears set-id bits as Linux does, except for root, who has CAP_FSETID. */
  write(ino: number, offset: number, data: Uint8Array, uid: number): number {
    const part = data.subarray(0, MAX_WRITE_BYTES);
    if (offset + part.length > MAX_FILE_BYTES) throw new NinePError("EFBIG");
    if (part.length === 0) return 0;
    const known = this.#upper.nodes.get(ino);
    const node = known ?? this.#upper.copyOf(ino);
    const content = this.#content(node);
    this.#upper.reserve(content.growth(offset, part.length));
    const before = content.allocatedBytes;
    content.write(offset, part);
    this.#upper.charge(content.allocatedBytes - before);
    if (known === undefined) this.#upper.adopt(node);
    node.mtime = node.ctime = this.#upper.now();
    if (uid !== 0 && node.mode & (S_ISUID | S_ISGID)) {
      node.mode &= ~(S_ISUID | (node.mode & S_IXGRP ? S_ISGID : 0));
    }
    return part.length;
  }

  /** Durable when the sandbox is saved, which is what a turn's end is. */
  fsync(): void {}

  statfs(): FileSystemStatistics {
    const { quota, usage, image } = this.#upper;
    const free = Math.max(0, quota.bytes - usage.bytes);
    return {
      blockBytes: STATFS_BLOCK_BYTES,
      blocks: Math.floor(quota.bytes / STATFS_BLOCK_BYTES),
      freeBlocks: Math.floor(free / STATFS_BLOCK_BYTES),
      files: image.lastIno + quota.inodes,
      freeFiles: Math.max(0, quota.inodes - usage.inodes),
    };
  }

  getxattr(ino: number, name: string): Uint8Array {
    const value = this.#upper.nodes.get(ino)?.xattrs?.get(name);
    if (value === undefined) throw NO_XATTR;
    return value;
  }

  listxattr(ino: number): string[] {
    return [...(this.#upper.nodes.get(ino)?.xattrs?.keys() ?? [])];
  }

  setxattr(ino: number, name: string, value: Uint8Array | undefined, how: XattrMode): void {
    const old = this.#upper.nodes.get(ino)?.xattrs?.get(name);
    if (how === "create" && old !== undefined) throw new NinePError("EEXIST");
    if ((how === "replace" || value === undefined) && old === undefined)
      throw new NinePError("ENODATA");
    const growth = (value ? xattrBytes(name, value) : 0) - (old ? xattrBytes(name, old) : 0);
    this.#upper.reserve(growth);
    if (value !== undefined && old === undefined) this.#checkXattrList(ino, name);
    const node = this.#upper.copyUp(ino);
    node.xattrs ??= new Map();
    if (value === undefined) node.xattrs.delete(name);
    else node.xattrs.set(name, value);
    node.ctime = this.#upper.now();
    this.#upper.charge(growth);
  }

  retain(ino: number): void {
    this.#upper.retain(ino);
  }

  forget(ino: number): void {
    this.#upper.forget(ino);
  }

  /** Listing must fit into one answer of listxattr(2). */
  #checkXattrList(ino: number, name: string): void {
    const bytes = this.listxattr(ino).reduce((sum, each) => sum + each.length + 1, name.length + 1);
    if (bytes > MAX_XATTR_LIST_BYTES) throw new NinePError("ENOSPC");
  }

  #lookupExisting(directory: number, name: string): number {
    const ino = this.lookup(directory, name);
    if (ino === 0) throw new NinePError("ENOENT");
    return ino;
  }

  /** What the upper layer says about a directory, if anything. ENOTDIR. */
  #folder(directory: number): UpperDirectory | undefined {
    if (!isDirectory(this.modeOf(directory))) throw new NinePError("ENOTDIR");
    return this.#upper.nodes.get(directory)?.directory;
  }

  #content(node: UpperNode): FileContent {
    if (node.content === undefined) throw new NinePError("EINVAL", "not a regular file");
    return node.content;
  }

  /** A directory that was removed while it was open takes no new entries. */
  #checkAlive(directory: number): void {
    this.#folder(directory);
    if (this.#upper.nodes.get(directory)?.nlink === 0) throw new NinePError("ENOENT");
  }

  #checkVacant(directory: number, name: string): void {
    this.#checkAlive(directory);
    if (this.lookup(directory, name) !== 0) throw new NinePError("EEXIST");
  }

  #checkEmpty(directory: number): void {
    this.readdir(directory, 2, () => {
      throw new NinePError("ENOTEMPTY");
    });
  }

  #isWithin(directory: number, ancestor: number): boolean {
    for (let at = directory; ; ) {
      if (at === ancestor) return true;
      if (at === this.root) return false;
      at = this.#folder(at)?.parent ?? this.#upper.image.node(at).parent;
    }
  }

  /** What the name is charged: nothing for one of the image. */
  #entryCost(directory: number, name: string): number {
    return (this.#folder(directory)?.entries.get(name)?.ino ?? 0) === 0 ? 0 : entryBytes(name);
  }

  #addEntry(directory: number, name: string, node: UpperNode): void {
    const folder = this.#upper.copyUp(directory);
    folder.directory?.set(name, node.ino);
    if (node.directory !== undefined) folder.nlink++;
    folder.mtime = folder.ctime = this.#upper.now();
    this.#upper.charge(entryBytes(name));
  }

  #removeEntry(directory: number, name: string, isFolder: boolean): void {
    this.#upper.charge(-this.#entryCost(directory, name));
    const folder = this.#upper.copyUp(directory);
    const upper = folder.directory;
    const isInImage =
      upper !== undefined && upper.lower !== 0 && this.#upper.image.child(upper.lower, name) !== 0;
    if (isInImage) upper.hide(name);
    else upper?.entries.delete(name);
    if (isFolder) folder.nlink--;
    folder.mtime = folder.ctime = this.#upper.now();
  }
}

/** One for all: Linux asks for `security.capability` before every write. */
const NO_XATTR = new NinePError("ENODATA");
const NO_CHILDREN = { firstChild: 0, childCount: 0 };
