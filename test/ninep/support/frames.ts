/** Frames written and read by hand, apart from the server's own code. */
export class FrameBuilder {
  readonly #parts: Buffer[] = [];

  u8(value: number): this {
    return this.#push(Buffer.from([value]));
  }

  u16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16LE(value);
    return this.#push(part);
  }

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value >>> 0);
    return this.#push(part);
  }

  u64(value: bigint | number): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    return this.#push(part);
  }

  /** A string is UTF-8; a buffer is taken as it is. */
  string(text: string | Uint8Array): this {
    const bytes = Buffer.from(text as Uint8Array);
    return this.u16(bytes.length).#push(bytes);
  }

  bytes(data: Uint8Array): this {
    return this.#push(Buffer.from(data));
  }

  frame(type: number, tag: number): Buffer {
    const body = Buffer.concat(this.#parts);
    const header = Buffer.alloc(7);
    header.writeUInt32LE(7 + body.length);
    header.writeUInt8(type, 4);
    header.writeUInt16LE(tag, 5);
    return Buffer.concat([header, body]);
  }

  #push(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
}

export class FrameParser {
  readonly type: number;
  readonly tag: number;
  readonly #bytes: Buffer;
  #at = 7;

  constructor(frame: Uint8Array) {
    this.#bytes = Buffer.from(frame);
    if (this.#bytes.readUInt32LE(0) !== this.#bytes.length)
      throw new Error("size is not the frame's");
    this.type = this.#bytes.readUInt8(4);
    this.tag = this.#bytes.readUInt16LE(5);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#skip(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#skip(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  u64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#skip(8)));
  }

  i64(): number {
    return Number(this.#bytes.readBigInt64LE(this.#skip(8)));
  }

  string(): string {
    return this.bytes(this.u16()).toString("utf8");
  }

  bytes(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  qid(): Qid {
    return { type: this.u8(), version: this.u32(), path: this.u64() };
  }

  #skip(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

export interface Qid {
  type: number;
  version: number;
  path: number;
}
