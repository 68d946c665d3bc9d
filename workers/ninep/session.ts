import { NinePError } from "./errno.ts";
import { type Attachment, type Fid, FidTable } from "./fids.ts";
import type { Attributes, FileSystem, PendingRead } from "./filesystem.ts";
import { emptyAttributes } from "./filesystem.ts";
import type { FrameReader, FrameWriter } from "./frame.ts";
import { LockTable } from "./locks.ts";

/** What the operations share: everything that a Tversion sets back. */
export class Session {
  readonly fids: FidTable;
  readonly locks = new LockTable();
  /** 0 until Tversion. */
  msize = 0;
  /** Scratch for getattr, so that a stat allocates nothing. */
  readonly attributes: Attributes = emptyAttributes();
  readonly #attach: (aname: string) => FileSystem | undefined;

  constructor(options: { attach: (aname: string) => FileSystem | undefined; maxFids: number }) {
    this.#attach = options.attach;
    this.fids = new FidTable(options.maxFids);
  }

  /** ENOENT where the server serves no such tree. */
  attachment(aname: string, uid: number): Attachment {
    const fileSystem = this.#attach(aname);
    if (fileSystem === undefined) throw new NinePError("ENOENT", "no such tree to attach to");
    return { aname, fileSystem, uid };
  }

  /** The fid goes, and with it the locks that came through it. */
  clunk(fid: Fid): void {
    if (fid.isOpen) this.locks.releaseFid(fid.attachment.fileSystem, fid.ino, fid.number);
    this.fids.remove(fid);
  }

  /** Back to before Tversion: file systems are told of every fid that goes. */
  reset(): void {
    this.fids.removeAll();
    this.#forgetAll();
  }

  /** The same, where file systems have already been put into another state. */
  abandon(): void {
    this.fids.abandonAll();
    this.#forgetAll();
  }

  #forgetAll(): void {
    this.locks.clear();
    this.msize = 0;
  }
}

/** What an operation works with. */
export interface Exchange {
  session: Session;
  request: FrameReader;
  reply: FrameWriter;
}

/**
 * Handles one kind of request: reads its fields, calls `request.finish()` before it changes anything, and appends
 * the reply's fields. A read that the file system answers later is handed back.
 */
export type Operation = (exchange: Exchange) => WaitingRead | undefined;

export interface WaitingRead {
  pending: PendingRead;
  fid: Fid;
}
