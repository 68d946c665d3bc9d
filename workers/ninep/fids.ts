import { NinePError } from "./errno.ts";
import type { FileSystem } from "./filesystem.ts";
import { NOFID, O_ACCMODE, O_RDONLY, O_WRONLY } from "./protocol.ts";

/** What one Tattach made: which file system, as whom. All fids walked from it share it. */
export interface Attachment {
  aname: string;
  fileSystem: FileSystem;
  uid: number;
}

/** A fid that carries an extended attribute instead of a file (Txattrwalk, Txattrcreate). */
export interface XattrFid {
  name: string;
  /** `undefined` for one that is read. */
  write: { how: "any" | "create" | "replace" | "remove"; filled: number } | undefined;
  value: Uint8Array;
}

export const NOT_OPEN = -1;

/** A handle of the client on a node. */
export class Fid {
  readonly number: number;
  readonly attachment: Attachment;
  ino: number;
  /** Directory it was walked through, for Tremove and Trename, which name no directory. */
  parent: number;
  /** Open flags, or `NOT_OPEN`. */
  flags = NOT_OPEN;
  xattr: XattrFid | undefined;

  constructor(number: number, attachment: Attachment, ino: number, parent: number) {
    this.number = number;
    this.attachment = attachment;
    this.ino = ino;
    this.parent = parent;
    this.xattr = undefined;
  }

  get isOpen(): boolean {
    return this.flags !== NOT_OPEN;
  }

  get isReadable(): boolean {
    return this.isOpen && (this.flags & O_ACCMODE) !== O_WRONLY;
  }

  get isWritable(): boolean {
    return this.isOpen && (this.flags & O_ACCMODE) !== O_RDONLY;
  }
}

/** Each holds up to 64 KiB, and Linux has one open for an instant only. */
const MAX_XATTR_FIDS = 256;

/** All fids of the session, and with them the references to nodes that keep unlinked files readable. */
export class FidTable {
  readonly #fids = new Map<number, Fid>();
  readonly #maxFids: number;
  #xattrFids = 0;

  constructor(maxFids: number) {
    this.#maxFids = maxFids;
  }

  get size(): number {
    return this.#fids.size;
  }

  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new NinePError("EBADF", "no such fid");
    return fid;
  }

  /** Call before the work that a new fid is for, so that nothing is half done when it cannot be had. */
  checkFree(number: number): void {
    if (number === NOFID || this.#fids.has(number)) throw new NinePError("EBADF", "fid in use");
    if (this.#fids.size >= this.#maxFids) throw new NinePError("EMFILE", "too many fids");
  }

  add(number: number, attachment: Attachment, ino: number, parent: number): Fid {
    this.checkFree(number);
    attachment.fileSystem.retain(ino);
    const fid = new Fid(number, attachment, ino, parent);
    this.#fids.set(number, fid);
    return fid;
  }

  /** The fid stands for another node from now on. */
  move(fid: Fid, ino: number, parent: number): void {
    fid.attachment.fileSystem.retain(ino);
    fid.attachment.fileSystem.forget(fid.ino);
    fid.ino = ino;
    fid.parent = parent;
  }

  /** EMFILE before anything is allocated. */
  checkXattrRoom(): void {
    if (this.#xattrFids >= MAX_XATTR_FIDS) throw new NinePError("EMFILE", "too many xattr fids");
  }

  makeXattr(fid: Fid, xattr: XattrFid): void {
    this.checkXattrRoom();
    this.#xattrFids++;
    fid.xattr = xattr;
  }

  remove(fid: Fid): void {
    if (!this.#fids.delete(fid.number)) return;
    if (fid.xattr !== undefined) this.#xattrFids--;
    const { fileSystem } = fid.attachment;
    if (fid.isOpen) fileSystem.close(fid.ino, fid.flags);
    fileSystem.forget(fid.ino);
  }

  removeAll(): void {
    for (const fid of this.#fids.values()) this.remove(fid);
  }

  /** Drops all without a word to file systems, which have been put into another state themselves. */
  abandonAll(): void {
    this.#fids.clear();
    this.#xattrFids = 0;
  }

  all(): Iterable<Fid> {
    return this.#fids.values();
  }
}
