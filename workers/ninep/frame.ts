import { NinePError } from "./errno.ts";
import { HEADER_BYTES, qidType } from "./protocol.ts";

const TWO_32 = 2 ** 32;

/** Reads the fields of one request, never past its end. One reader serves all requests, one after another. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** Begin at the first field after the header of a frame of `size` bytes. */
  start(frame: Uint8Array, size: number): void {
    this.#bytes = Buffer.from(frame.buffer, frame.byteOffset, size);
    this.#at = HEADER_BYTES;
    this.#end = size;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** Exact below 2^53; what lies above is only ever compared with limits far below. */
  u64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * TWO_32;
  }

  /** Seconds before 1970 are negative. */
  i64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readInt32LE(at + 4) * TWO_32;
  }

  /** A string as bytes, one character each (see names.ts). */
  string(): string {
    const length = this.u16();
    const at = this.#take(length);
    return this.#bytes.toString("latin1", at, at + length);
  }

  /** A view into the request, valid while it is handled. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The first field, without taking it; 0 where the message has none. */
  peekU32(): number {
    return this.remaining < 4 ? 0 : this.#bytes.readUInt32LE(this.#at);
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  /** All fields are read: anything left over means that we and the client disagree about the message. */
  finish(): void {
    if (this.#at !== this.#end)
      throw new NinePError("EPROTO", "bytes after the message's last field");
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw new NinePError("EPROTO", "the message ends too early");
    this.#at = at + length;
    return at;
  }
}

/** Builds one reply in a buffer that is used again for the next. */
export class FrameWriter {
  readonly #bytes: Buffer;
  #at = 0;
  #limit: number;

  constructor(maxBytes: number) {
    this.#bytes = Buffer.alloc(maxBytes);
    this.#limit = maxBytes;
  }

  /** Largest frame from now on: the negotiated msize. */
  limitTo(bytes: number): void {
    this.#limit = Math.min(bytes, this.#bytes.length);
  }

  start(type: number, tag: number): void {
    this.#bytes[4] = type;
    this.#bytes.writeUInt16LE(tag, 5);
    this.#at = HEADER_BYTES;
  }

  /** The whole frame; valid until the next `start`. */
  finish(): Uint8Array {
    this.#bytes.writeUInt32LE(this.#at, 0);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.#limit - this.#at;
  }

  u8(value: number): void {
    this.#bytes[this.#take(1)] = value;
  }

  u16(value: number): void {
    this.#bytes.writeUInt16LE(value, this.#take(2));
  }

  u32(value: number): void {
    this.#bytes.writeUInt32LE(value >>> 0, this.#take(4));
  }

  /** Any whole number of fewer than 53 bits, negative ones in two's complement. */
  u64(value: number): void {
    const at = this.#take(8);
    this.#bytes.writeUInt32LE(value >>> 0, at);
    this.#bytes.writeUInt32LE(Math.floor(value / TWO_32) >>> 0, at + 4);
  }

  string(bytes: string): void {
    this.u16(bytes.length);
    const at = this.#take(bytes.length);
    this.#bytes.write(bytes, at, bytes.length, "latin1");
  }

  /** type[1] version[4] path[8]. A version that changed would make a second inode under `cache=loose`. */
  qid(ino: number, mode: number): void {
    this.u8(qidType(mode));
    this.u32(0);
    this.u64(ino);
  }

  bytes(data: Uint8Array): void {
    const at = this.#take(data.length);
    this.#bytes.set(data, at);
  }

  /** The next `length` bytes of the reply, to be filled in place; `skip` then says how many were. */
  window(length: number): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + Math.min(length, this.room));
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** Where the next field goes; for a count that is known only after what it counts. */
  get position(): number {
    return this.#at;
  }

  patchU16(position: number, value: number): void {
    this.#bytes.writeUInt16LE(value, position);
  }

  patchU32(position: number, value: number): void {
    this.#bytes.writeUInt32LE(value, position);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#limit - at)
      throw new NinePError("EMSGSIZE", "the reply is larger than msize");
    this.#at = at + length;
    return at;
  }
}
