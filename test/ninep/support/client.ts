import { Errno } from "../../../workers/ninep/errno.ts";
import type { NinePServer } from "../../../workers/ninep/server.ts";
import { FrameBuilder, FrameParser, type Qid } from "./frames.ts";

/** What the guest would see: the name of the error number. */
export class GuestError extends Error {
  readonly errno: string;

  constructor(errno: number) {
    const name = Object.entries(Errno).find(([, number]) => number === errno)?.[0] ?? `${errno}`;
    super(name);
    this.errno = name;
  }
}

export interface Stat {
  valid: number;
  qid: Qid;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  rdev: number;
  size: number;
  blocks: number;
  atime: number;
  mtime: number;
  mtimeNsec: number;
  ctime: number;
}

export interface Entry {
  qid: Qid;
  offset: number;
  type: number;
  name: string;
}

type FidRef = number;

/** One mount: sends single messages and checks the shape of each answer. */
export class Client {
  server: NinePServer;
  /** All frames sent, where someone wants a corpus. */
  readonly sent: Buffer[] = [];
  keepsFrames = false;
  /** Fids that a test walked to and will not clunk itself. */
  readonly walked: FidRef[] = [];
  #nextFid = 1;

  constructor(server: NinePServer) {
    this.server = server;
  }

  /** A version and an attach, as mount(2) does. The root's fid is 0. */
  static mount(server: NinePServer, options: { msize?: number; uid?: number } = {}): Client {
    const client = new Client(server);
    client.version(options.msize ?? 512 * 1024);
    client.attach(0, options.uid ?? 0);
    return client;
  }

  raw(frame: Uint8Array): FrameParser {
    if (this.keepsFrames) this.sent.push(Buffer.from(frame));
    let answer: FrameParser | undefined;
    this.server.handle(frame, (reply) => {
      if (answer !== undefined) throw new Error("answered twice");
      answer = new FrameParser(reply);
    });
    if (answer === undefined) throw new Error("not answered at once");
    return answer;
  }

  call(type: number, body: FrameBuilder, tag = 1): FrameParser {
    const answer = this.raw(body.frame(type, tag));
    if (answer.tag !== tag) throw new Error(`answered tag ${answer.tag}, not ${tag}`);
    if (answer.type === 7) throw new GuestError(answer.u32());
    if (answer.type !== type + 1) throw new Error(`answer of type ${answer.type} to ${type}`);
    return answer;
  }

  freshFid(): FidRef {
    return this.#nextFid++;
  }

  version(msize: number, version = "9P2000.L"): { msize: number; version: string } {
    const answer = this.call(100, new FrameBuilder().u32(msize).string(version), 0xffff);
    return { msize: answer.u32(), version: answer.string() };
  }

  attach(fid: FidRef, uid: number, aname = "/"): Qid {
    const body = new FrameBuilder().u32(fid).u32(0xffffffff).string("root").string(aname).u32(uid);
    return this.call(104, body).qid();
  }

  /** Whole or not at all, as Linux uses it. */
  walk(from: FidRef, ...names: (string | Uint8Array)[]): FidRef {
    const fid = this.freshFid();
    const qids = this.walkTo(from, fid, names);
    if (qids.length < names.length) throw new GuestError(Errno.ENOENT);
    return fid;
  }

  takeWalked(): FidRef[] {
    return this.walked.splice(0);
  }

  /** New fids begin here: those below belong to a session that was taken over. */
  skipFids(first: number): void {
    this.#nextFid = Math.max(this.#nextFid, first);
  }

  walkTo(from: FidRef, to: FidRef, names: (string | Uint8Array)[]): Qid[] {
    const body = new FrameBuilder().u32(from).u32(to).u16(names.length);
    for (const name of names) body.string(name);
    const answer = this.call(110, body);
    return Array.from({ length: answer.u16() }, () => answer.qid());
  }

  /** A fid for a path below the root. */
  at(path: string): FidRef {
    return this.walk(0, ...path.split("/").filter((name) => name !== ""));
  }

  clunk(fid: FidRef): void {
    this.call(120, new FrameBuilder().u32(fid));
  }

  open(fid: FidRef, flags: number): Qid {
    const answer = this.call(12, new FrameBuilder().u32(fid).u32(flags));
    return answer.qid();
  }

  create(fid: FidRef, name: string, flags = 2, mode = 0o644, gid = 0): Qid {
    const body = new FrameBuilder().u32(fid).string(name).u32(flags).u32(mode).u32(gid);
    return this.call(14, body).qid();
  }

  read(fid: FidRef, offset: number | bigint, count: number): Buffer {
    const answer = this.call(116, new FrameBuilder().u32(fid).u64(offset).u32(count));
    const data = answer.bytes(answer.u32());
    if (!answer.isAtEnd) throw new Error("bytes after the data");
    return data;
  }

  write(fid: FidRef, offset: number | bigint, data: Uint8Array | string): number {
    const bytes = Buffer.from(data as Uint8Array);
    const body = new FrameBuilder().u32(fid).u64(offset).u32(bytes.length).bytes(bytes);
    return this.call(118, body).u32();
  }

  getattr(fid: FidRef): Stat {
    const answer = this.call(24, new FrameBuilder().u32(fid).u64(0x7ff));
    const stat = { valid: answer.u64(), qid: answer.qid(), mode: answer.u32() };
    const owner = { uid: answer.u32(), gid: answer.u32() };
    const nlink = answer.u64();
    const rdev = answer.u64();
    const size = answer.u64();
    answer.u64();
    const blocks = answer.u64();
    const atime = answer.i64();
    answer.u64();
    const mtime = answer.i64();
    const mtimeNsec = answer.u64();
    const ctime = answer.i64();
    answer.bytes(5 * 8);
    if (!answer.isAtEnd) throw new Error("bytes after the attributes");
    return { ...stat, ...owner, nlink, rdev, size, blocks, atime, mtime, mtimeNsec, ctime };
  }

  setattr(
    fid: FidRef,
    changes: {
      valid: number;
      mode?: number;
      uid?: number;
      gid?: number;
      size?: number | bigint;
    } & {
      atime?: [sec: number, nsec: number];
      mtime?: [sec: number, nsec: number];
    },
  ): void {
    const { valid, mode = 0, uid = 0, gid = 0, size = 0, atime = [0, 0], mtime = [0, 0] } = changes;
    const body = new FrameBuilder().u32(fid).u32(valid).u32(mode).u32(uid).u32(gid).u64(size);
    this.call(26, body.u64(atime[0]).u64(atime[1]).u64(mtime[0]).u64(mtime[1]));
  }

  truncate(fid: FidRef, size: number | bigint): void {
    this.setattr(fid, { valid: 0x8, size });
  }

  statfs(fid: FidRef) {
    const answer = this.call(8, new FrameBuilder().u32(fid));
    const head = { type: answer.u32(), bsize: answer.u32(), blocks: answer.u64() };
    const free = { bfree: answer.u64(), bavail: answer.u64() };
    const files = { files: answer.u64(), ffree: answer.u64() };
    answer.u64();
    return { ...head, ...free, ...files, namelen: answer.u32() };
  }

  readdirPart(fid: FidRef, offset: number, count: number): Entry[] {
    const answer = this.call(40, new FrameBuilder().u32(fid).u64(offset).u32(count));
    const bytes = answer.u32();
    if (bytes > count) throw new Error("more entries than asked for");
    const entries: Entry[] = [];
    while (!answer.isAtEnd) {
      entries.push({
        qid: answer.qid(),
        offset: answer.u64(),
        type: answer.u8(),
        name: answer.string(),
      });
    }
    return entries;
  }

  /** All names of an open directory, without the dots. */
  names(path: string, count = 8192): string[] {
    const fid = this.at(path);
    this.open(fid, 0o200000);
    const names: string[] = [];
    let offset = 0;
    for (;;) {
      const entries = this.readdirPart(fid, offset, count);
      for (const entry of entries) {
        offset = entry.offset;
        if (entry.name !== "." && entry.name !== "..") names.push(entry.name);
      }
      if (entries.length === 0) break;
    }
    this.clunk(fid);
    return names;
  }

  mkdir(dir: FidRef, name: string, mode = 0o755, gid = 0): Qid {
    return this.call(72, new FrameBuilder().u32(dir).string(name).u32(mode).u32(gid)).qid();
  }

  mknod(dir: FidRef, name: string, mode: number, major = 0, minor = 0): Qid {
    const body = new FrameBuilder().u32(dir).string(name).u32(mode).u32(major).u32(minor).u32(0);
    return this.call(18, body).qid();
  }

  symlink(dir: FidRef, name: string, target: string): Qid {
    return this.call(16, new FrameBuilder().u32(dir).string(name).string(target).u32(0)).qid();
  }

  readlink(fid: FidRef): string {
    return this.call(22, new FrameBuilder().u32(fid)).string();
  }

  link(dir: FidRef, fid: FidRef, name: string): void {
    this.call(70, new FrameBuilder().u32(dir).u32(fid).string(name));
  }

  unlink(dir: FidRef, name: string, flags = 0): void {
    this.call(76, new FrameBuilder().u32(dir).string(name).u32(flags));
  }

  rmdir(dir: FidRef, name: string): void {
    this.unlink(dir, name, 0x200);
  }

  rename(from: FidRef, fromName: string, to: FidRef, toName: string): void {
    this.call(74, new FrameBuilder().u32(from).string(fromName).u32(to).string(toName));
  }

  renameFid(fid: FidRef, to: FidRef, name: string): void {
    this.call(20, new FrameBuilder().u32(fid).u32(to).string(name));
  }

  remove(fid: FidRef): void {
    this.call(122, new FrameBuilder().u32(fid));
  }

  fsync(fid: FidRef): void {
    this.call(50, new FrameBuilder().u32(fid).u32(0));
  }

  flush(oldTag: number): void {
    this.call(108, new FrameBuilder().u16(oldTag), 2);
  }

  xattrWalk(fid: FidRef, newFid: FidRef, name: string): number {
    return this.call(30, new FrameBuilder().u32(fid).u32(newFid).string(name)).u64();
  }

  xattrCreate(fid: FidRef, name: string, size: number | bigint, flags = 0): void {
    this.call(32, new FrameBuilder().u32(fid).string(name).u64(size).u32(flags));
  }

  /** As Linux does getxattr(2): walk, read, clunk. An empty name lists. */
  getxattr(fid: FidRef, name: string): string {
    const other = this.freshFid();
    const size = this.xattrWalk(fid, other, name);
    const value = this.read(other, 0, size);
    this.clunk(other);
    return value.toString("latin1");
  }

  /** As Linux does setxattr(2): clone, create, write, clunk. */
  setxattr(fid: FidRef, name: string, value: string, flags = 0): void {
    const clone = this.walk(fid);
    try {
      this.xattrCreate(clone, name, value.length, flags);
      if (value !== "") this.write(clone, 0, Buffer.from(value, "latin1"));
    } catch (error) {
      this.server.handle(new FrameBuilder().u32(clone).frame(120, 1), () => {});
      throw error;
    }
    this.clunk(clone);
  }

  lock(fid: FidRef, type: number, start: number, length: number, pid: number): number {
    const body = new FrameBuilder().u32(fid).u8(type).u32(0).u64(start).u64(length);
    return this.call(52, body.u32(pid).string("guest")).u8();
  }

  getlock(fid: FidRef, type: number, start: number, length: number, pid: number) {
    const body = new FrameBuilder().u32(fid).u8(type).u64(start).u64(length).u32(pid);
    const answer = this.call(54, body.string("guest"));
    return { type: answer.u8(), start: answer.u64(), length: answer.u64(), pid: answer.u32() };
  }

  /** Creates or replaces a file with these contents. */
  put(path: string, data: Uint8Array | string, mode = 0o644): void {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    const fid = this.at(parts.join("/"));
    this.create(fid, name, 0o1002, mode);
    const bytes = Buffer.from(data as Uint8Array);
    for (let at = 0; at < bytes.length; at += 65536) {
      this.write(fid, at, bytes.subarray(at, at + 65536));
    }
    this.clunk(fid);
  }

  get(path: string): Buffer {
    const fid = this.at(path);
    this.open(fid, 0);
    const data = this.readAll(fid);
    this.clunk(fid);
    return data;
  }

  readAll(fid: FidRef): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; ; ) {
      const part = this.read(fid, at, 65536);
      if (part.length === 0) return Buffer.concat(parts);
      parts.push(part);
      at += part.length;
    }
  }

  stat(path: string): Stat {
    const fid = this.at(path);
    const stat = this.getattr(fid);
    this.clunk(fid);
    return stat;
  }
}

/** Name of the error that a call ends with, or "no error". */
export function errnoOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof GuestError) return error.errno;
    throw error;
  }
  return "no error";
}
