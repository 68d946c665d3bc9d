import type { FileContent } from "./file-content.ts";
import type { Attributes, Time } from "./filesystem.ts";
import { isDirectory } from "./protocol.ts";

const DIRECTORY_BYTES = 4096;

/** An entry of an upper directory; inode 0 hides the image's entry of that name. */
export interface UpperEntry {
  readonly ino: number;
  /** Place in the order of `readdir`, never used again in this directory. */
  readonly position: number;
}

const WHITEOUT: UpperEntry = { ino: 0, position: 0 };

/** What the upper layer says about a directory; what it does not mention is as in the image. */
export class UpperDirectory {
  parent: number;
  /** Inode of the image's directory that shows through, or 0. */
  readonly lower: number;
  /** In the order of positions. */
  readonly entries = new Map<string, UpperEntry>();
  nextPosition = 0;

  constructor(parent: number, lower: number) {
    this.parent = parent;
    this.lower = lower;
  }

  set(name: string, ino: number): void {
    this.entries.delete(name);
    this.entries.set(name, { ino, position: this.nextPosition++ });
  }

  hide(name: string): void {
    this.entries.set(name, WHITEOUT);
  }
}

/**
 * A node that is new, or that has changed since the image. It keeps the image's inode number, so that directories
 * need not know: a copy-up touches no parent, and a directory of the image can be renamed with all it holds.
 */
export class UpperNode {
  readonly ino: number;
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  rdev = 0;
  atime: Time;
  mtime: Time;
  ctime: Time;
  /** Of a symbolic link. */
  target = "";
  /** Of a regular file. */
  content: FileContent | undefined = undefined;
  directory: UpperDirectory | undefined = undefined;
  xattrs: Map<string, Uint8Array> | undefined = undefined;

  constructor(ino: number, mode: number, now: Time) {
    this.ino = ino;
    this.mode = mode;
    this.atime = now;
    this.mtime = now;
    this.ctime = now;
  }

  get size(): number {
    if (this.content !== undefined) return this.content.size;
    return isDirectory(this.mode) ? DIRECTORY_BYTES : this.target.length;
  }

  getattr(into: Attributes): void {
    into.mode = this.mode;
    into.uid = this.uid;
    into.gid = this.gid;
    into.nlink = this.nlink;
    into.rdev = this.rdev;
    into.size = this.size;
    into.blocks = this.content?.sectors ?? (isDirectory(this.mode) ? DIRECTORY_BYTES / 512 : 0);
    into.atimeSec = this.atime.sec;
    into.atimeNsec = this.atime.nsec;
    into.mtimeSec = this.mtime.sec;
    into.mtimeNsec = this.mtime.nsec;
    into.ctimeSec = this.ctime.sec;
    into.ctimeNsec = this.ctime.nsec;
  }
}
