import type { NinePError } from "./errno.ts";

/**
 * What the server serves: nodes named by inode numbers, which it never makes up itself.
 *
 * - Everything is synchronous. A failure is a thrown `NinePError`, and then nothing has changed.
 * - Inode numbers are whole numbers from 1 to 2^32 - 3, never used again for another node.
 * - Names and link targets are byte strings (see names.ts). The server has checked names that are to be created,
 *   removed or looked up: not empty, no `/` or NUL, not `.` or `..`, at most 255 bytes.
 * - Permissions are the guest kernel's business; here mode bits are only kept.
 */
export interface FileSystem {
  readonly root: number;

  /** Inode of a name; 0 where there is none, which is asked too often to be an error. ENOTDIR. */
  lookup(directory: number, name: string): number;
  /** Type and permission bits, the part of the attributes that every qid needs. */
  modeOf(ino: number): number;
  /** Fills in all fields of `into`, which the server uses again and again. */
  getattr(ino: number, into: Attributes): void;
  setattr(ino: number, changes: AttributeChanges): void;

  /** Create a file, directory, symbolic link or special file, as `node.mode` says. EEXIST, ENOSPC. */
  make(directory: number, name: string, node: NewNode): number;
  link(directory: number, name: string, ino: number): void;
  /** `removeDirectory` is rmdir(2): ENOTDIR or EISDIR where the kind does not fit, ENOTEMPTY. */
  unlink(directory: number, name: string, removeDirectory: boolean): void;
  /** Replaces what is there, as rename(2) does. */
  rename(fromDirectory: number, fromName: string, toDirectory: number, toName: string): void;
  readlink(ino: number): string;
  /**
   * Entries from `offset` on (0 is the start), `.` and `..` among them, until `emit` answers false: then that entry
   * was not taken. Offsets stay good while entries come and go.
   */
  readdir(directory: number, offset: number, emit: EmitEntry): void;

  /** A fid is opened or created with Linux open flags; regular files and directories only. */
  open(ino: number, flags: number): void;
  /** Once for each `open`, when its fid is clunked or the session ends. Not on `NinePServer.load`. */
  close(ino: number, flags: number): void;
  /**
   * Fills `into` from its start and says how much; 0 is end of file. Or promises to answer later, with data of its
   * own: `into` is used for another reply after the call.
   */
  read(ino: number, offset: number, into: Uint8Array): number | PendingRead;
  /** `uid` is who attached the fid. `data` is valid during the call only. Says how much was taken. */
  write(ino: number, offset: number, data: Uint8Array, uid: number): number;
  fsync(ino: number): void;
  statfs(): FileSystemStatistics;

  /** Value that nobody changes afterwards. ENODATA. */
  getxattr(ino: number, name: string): Uint8Array;
  listxattr(ino: number): string[];
  /** No value removes it. EEXIST for `create`, ENODATA for `replace` and removal. */
  setxattr(ino: number, name: string, value: Uint8Array | undefined, how: XattrMode): void;

  /** One more fid refers to the node: it must stay readable even when its last name goes. */
  retain(ino: number): void;
  /** One fid less. */
  forget(ino: number): void;
}

export type EmitEntry = (ino: number, mode: number, nextOffset: number, name: string) => boolean;

export type XattrMode = "any" | "create" | "replace";

export interface Time {
  sec: number;
  nsec: number;
}

export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** As the kernel's `new_encode_dev` has it; see `encodeDevice`. */
  rdev: number;
  size: number;
  /** In units of 512 bytes. */
  blocks: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
}

export function emptyAttributes(): Attributes {
  return {
    mode: 0,
    uid: 0,
    gid: 0,
    nlink: 1,
    rdev: 0,
    size: 0,
    blocks: 0,
    atimeSec: 0,
    atimeNsec: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    ctimeSec: 0,
    ctimeNsec: 0,
  };
}

/** Only what is there changes; ctime always does. */
export interface AttributeChanges {
  /** Permission bits, without the type. */
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number;
  atime?: Time | "now";
  mtime?: Time | "now";
}

export interface NewNode {
  /** With type bits. */
  mode: number;
  uid: number;
  gid: number;
  rdev?: number;
  /** Of a symbolic link. */
  target?: string;
}

export interface FileSystemStatistics {
  blockBytes: number;
  blocks: number;
  freeBlocks: number;
  files: number;
  freeFiles: number;
}

/** Linux's 32-bit device number: 12 bits of major, 20 of minor (include/linux/kdev_t.h, new_encode_dev). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/**
 * A read that waits for data. The file system keeps it and calls `complete` or `fail` once; when the guest gives up
 * (Tflush, Tclunk) or the session is replaced, `onCancel` is called and both do nothing any more.
 *
 * @example
 * read(ino, offset, into) {
 *   const pending = new PendingRead(into.length, () => this.#waiting.delete(pending));
 *   this.#waiting.add(pending);
 *   return pending;
 * }
 */
export class PendingRead {
  /** Most bytes that `complete` may be given. */
  readonly maxBytes: number;
  readonly #onCancel: (() => void) | undefined;
  #listener: ((outcome: Uint8Array | NinePError) => void) | undefined;
  #isOver = false;

  constructor(maxBytes: number, onCancel?: () => void) {
    this.maxBytes = maxBytes;
    this.#onCancel = onCancel;
  }

  /** No bytes is end of file. More than `maxBytes` is a mistake of the file system. */
  complete(data: Uint8Array): void {
    if (data.length > this.maxBytes) {
      throw new RangeError(`a read of ${this.maxBytes} bytes was completed with ${data.length}`);
    }
    this.#settle(data);
  }

  fail(error: NinePError): void {
    this.#settle(error);
  }

  /** The server's side: where the outcome goes. Called at once, before anything can have settled it. */
  onSettled(listener: (outcome: Uint8Array | NinePError) => void): void {
    this.#listener = listener;
  }

  /** The server's side: nobody waits any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener = undefined;
    this.#onCancel?.();
  }

  #settle(outcome: Uint8Array | NinePError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener?.(outcome);
  }
}
