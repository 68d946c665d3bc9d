import { NinePError, toNinePError } from "./errno.ts";
import type { Fid } from "./fids.ts";
import type { FileSystem, PendingRead } from "./filesystem.ts";
import { FrameReader, FrameWriter } from "./frame.ts";
import * as attributes from "./operations/attributes.ts";
import * as directory from "./operations/directory.ts";
import * as file from "./operations/file.ts";
import * as lock from "./operations/lock.ts";
import * as walk from "./operations/walk.ts";
import * as xattr from "./operations/xattr.ts";
import { HEADER_BYTES, MIN_MSIZE, NOTAG, READ_HEADER_BYTES, RLERROR, T } from "./protocol.ts";
import { loadSession, type ServerState, saveSession } from "./server-state.ts";
import { type Operation, Session } from "./session.ts";

export type { ServerState } from "./server-state.ts";

export interface NinePServerOptions {
  /** The tree that a mount's `aname` names; `undefined` answers ENOENT. */
  attach(aname: string): FileSystem | undefined;
  /**
   * Largest frame. v86's ring carries 32 entries with indirect descriptors; Linux's virtio transport sends at most
   * 128 pages.
   */
  maxMsize?: number;
  /** Linux keeps a fid for every cached dentry, so this must be more than the guest's memory holds of them. */
  maxFids?: number;
  /** A frame that no sound client sends. */
  onMalformed?(reason: string): void;
  /** Something of ours or of the host failed; the guest has been told EIO or ENOSPC. */
  onFault?(error: Error): void;
  /** Something found no room. Linux writes behind its programs' backs: none of them may ever be told. */
  onNoSpace?(): void;
}

/** Called with a whole R-frame that is valid during the call only. */
export type Reply = (frame: Uint8Array) => void;

const DEFAULT_MSIZE = 512 * 1024;
const DEFAULT_MAX_FIDS = 512 * 1024;
/** More reads that wait for data than a ring of requests has entries. */
const MAX_PENDING = 1024;

interface PendingRequest {
  pending: PendingRead;
  fid: Fid;
  onCancelled: (() => void) | undefined;
  reply: Reply;
}

/** By message type; Tversion, Tflush and Tclunk also need the reads that wait. */
const operations = new Map<number, Operation>([
  [T.AUTH, walk.auth],
  [T.ATTACH, walk.attach],
  [T.WALK, walk.walk],
  [T.CLUNK, walk.clunk],
  [T.GETATTR, attributes.getattr],
  [T.SETATTR, attributes.setattr],
  [T.STATFS, attributes.statfs],
  [T.LOPEN, file.open],
  [T.LCREATE, file.create],
  [T.READ, file.read],
  [T.WRITE, file.write],
  [T.FSYNC, file.fsync],
  [T.READDIR, directory.readdir],
  [T.MKDIR, directory.mkdir],
  [T.MKNOD, directory.mknod],
  [T.SYMLINK, directory.symlink],
  [T.READLINK, directory.readlink],
  [T.LINK, directory.link],
  [T.UNLINKAT, directory.unlinkat],
  [T.RENAMEAT, directory.renameat],
  [T.RENAME, directory.renameFid],
  [T.REMOVE, directory.remove],
  [T.XATTRWALK, xattr.xattrWalk],
  [T.XATTRCREATE, xattr.xattrCreate],
  [T.LOCK, lock.lock],
  [T.GETLOCK, lock.getlock],
]);

/**
 * A 9P2000.L server: frames in, frames out, no transport and no host file system. Every request is answered within
 * the call, but for reads that a file system answers later.
 */
export class NinePServer {
  readonly #session: Session;
  readonly #options: NinePServerOptions;
  readonly #maxMsize: number;
  readonly #request = new FrameReader();
  readonly #reply: FrameWriter;
  /** By tag. */
  readonly #pending = new Map<number, PendingRequest>();

  constructor(options: NinePServerOptions) {
    this.#options = options;
    this.#maxMsize = Math.max(options.maxMsize ?? DEFAULT_MSIZE, MIN_MSIZE);
    this.#reply = new FrameWriter(this.#maxMsize);
    this.#session = new Session({
      attach: (aname) => options.attach(aname),
      maxFids: options.maxFids ?? DEFAULT_MAX_FIDS,
    });
  }

  /** Reads that wait for data. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  get fidCount(): number {
    return this.#session.fids.size;
  }

  /**
   * Never throws, whatever the frame holds. `reply` is called at once, or later for a read that waits.
   *
   * `onCancelled` is called instead, where a waiting read was flushed or its session ended: it will never be
   * answered, and the transport may take its buffers back (on virtio, as a used element of no bytes, which QEMU
   * does too).
   */
  handle(frame: Uint8Array, reply: Reply, onCancelled?: () => void): void {
    // A frame too short for a tag is answered under the tag that v86 reads from it.
    const type = frame[4] ?? 0;
    const tag = (frame[5] ?? 0) | ((frame[6] ?? 0) << 8);
    try {
      this.#open(frame, tag, type);
      this.#reply.start(type + 1, tag);
      const waiting = this.#dispatch(type);
      if (waiting !== undefined) {
        this.#wait(tag, { ...waiting, onCancelled, reply });
        return;
      }
    } catch (error) {
      this.#fail(tag, error);
    }
    reply(this.#reply.finish());
  }

  /**
   * Session, fids, locks and attributes that are being written. No read may be waiting, but for as many as the transport
   * keeps and asks again after `load`.
   */
  save(kept = 0): ServerState {
    if (this.#pending.size > kept) {
      throw new Error(`${this.#pending.size} 9P reads are still waiting; they cannot be saved`);
    }
    return saveSession(this.#session);
  }

  /**
   * Drops whatever was there and takes the saved session up. The file systems must have been put into the state of
   * the same moment before: they are not told of the fids that go, only of those that come (`retain`).
   */
  load(state: ServerState): void {
    this.#cancelAll();
    this.#session.abandon();
    loadSession(this.#session, state);
    this.#reply.limitTo(this.#session.msize || this.#maxMsize);
  }

  /** Checks the frame as a whole. */
  #open(frame: Uint8Array, tag: number, type: number): void {
    if (frame.length < HEADER_BYTES)
      throw new NinePError("EPROTO", "a frame without a whole header");
    this.#request.start(frame, HEADER_BYTES);
    const size =
      ((frame[0] ?? 0) | ((frame[1] ?? 0) << 8) | ((frame[2] ?? 0) << 16)) +
      (frame[3] ?? 0) * 2 ** 24;
    if (size < HEADER_BYTES || size > frame.length) {
      throw new NinePError("EPROTO", "the frame's size is not that of its bytes");
    }
    const limit = type === T.VERSION ? this.#maxMsize : this.#session.msize;
    if (limit === 0) throw new NinePError("EPROTO", "a request before Tversion");
    if (size > limit) throw new NinePError("EMSGSIZE", "a frame larger than msize");
    if (tag === NOTAG && type !== T.VERSION)
      throw new NinePError("EPROTO", "NOTAG is for Tversion");
    if (this.#pending.has(tag)) throw new NinePError("EPROTO", "the tag is in use");
    this.#request.start(frame, size);
  }

  #dispatch(type: number) {
    if (type === T.VERSION) return this.#version();
    if (type === T.FLUSH) return this.#flush();
    const operation = operations.get(type);
    if (operation === undefined) throw new NinePError("EOPNOTSUPP", `no message of type ${type}`);
    if ((type === T.CLUNK || type === T.REMOVE) && this.#pending.size > 0) this.#endReadsOfFid();
    return (
      operation({ session: this.#session, request: this.#request, reply: this.#reply }) ?? undefined
    );
  }

  /** Tversion msize[4] version[s]: the session begins again. */
  #version(): undefined {
    const msize = this.#request.u32();
    const version = this.#request.string();
    this.#request.finish();
    if (msize < MIN_MSIZE) throw new NinePError("EINVAL", `msize is below ${MIN_MSIZE}`);
    this.#cancelAll();
    this.#session.reset();
    const isKnown = version === "9P2000.L" || version.startsWith("9P2000.L.");
    this.#session.msize = isKnown ? Math.min(msize, this.#maxMsize) : 0;
    this.#reply.limitTo(Math.min(msize, this.#maxMsize));
    this.#reply.u32(Math.min(msize, this.#maxMsize));
    this.#reply.string(isKnown ? "9P2000.L" : "unknown");
  }

  /** Tflush oldtag[2]: the read is not answered any more. Everything else has been answered long ago. */
  #flush(): undefined {
    const oldTag = this.#request.u16();
    this.#request.finish();
    this.#cancel(oldTag);
  }

  #wait(tag: number, request: PendingRequest): void {
    if (this.#pending.size >= MAX_PENDING) {
      request.pending.cancel();
      this.#fail(tag, new NinePError("EMFILE", "too many reads wait"));
      request.reply(this.#reply.finish());
      return;
    }
    this.#pending.set(tag, request);
    request.pending.onSettled((outcome) => {
      this.#pending.delete(tag);
      request.reply(
        outcome instanceof NinePError ? errorFrame(tag, outcome) : readFrame(tag, outcome),
      );
    });
  }

  #cancel(tag: number): void {
    const request = this.#pending.get(tag);
    if (request === undefined) return;
    this.#pending.delete(tag);
    request.pending.cancel();
    request.onCancelled?.();
  }

  #cancelAll(): void {
    for (const tag of [...this.#pending.keys()]) this.#cancel(tag);
  }

  /** Before Tclunk and Tremove: what waits on the fid is answered, since its tag is still in use. */
  #endReadsOfFid(): void {
    const number = this.#request.peekU32();
    for (const [tag, request] of this.#pending) {
      if (request.fid.number !== number) continue;
      this.#pending.delete(tag);
      request.pending.cancel();
      request.reply(errorFrame(tag, new NinePError("EBADF", "the fid was clunked")));
    }
  }

  #fail(tag: number, error: unknown): void {
    const failure = toNinePError(error);
    this.#reply.start(RLERROR, tag);
    this.#reply.u32(failure.errno);
    if (failure.code === "EPROTO") this.#options.onMalformed?.(failure.message);
    else if (failure !== error) this.#options.onFault?.(failure);
    if (failure.code === "ENOSPC" || failure.code === "EDQUOT") this.#options.onNoSpace?.();
  }
}

function readFrame(tag: number, data: Uint8Array): Uint8Array {
  const writer = new FrameWriter(READ_HEADER_BYTES + data.length);
  writer.start(T.READ + 1, tag);
  writer.u32(data.length);
  writer.bytes(data);
  return writer.finish();
}

function errorFrame(tag: number, error: NinePError): Uint8Array {
  const writer = new FrameWriter(HEADER_BYTES + 4);
  writer.start(RLERROR, tag);
  writer.u32(error.errno);
  return writer.finish();
}
