/** Reads a stream of chunks by counts of bytes. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Between 1 and `most` bytes, or undefined at the end. */
  async readSome(most: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done) return undefined;
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }

  /** Exactly `count` bytes, or undefined when the stream ends before. */
  async read(count: number): Promise<Uint8Array | undefined> {
    const result = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const part = await this.readSome(count - filled);
      if (part === undefined) return undefined;
      result.set(part, filled);
      filled += part.length;
    }
    return result;
  }

  /** Fewer when the stream ends before. */
  async skip(count: number): Promise<void> {
    let left = count;
    while (left > 0) {
      const part = await this.readSome(left);
      if (part === undefined) return;
      left -= part.length;
    }
  }

  async drain(): Promise<void> {
    this.#chunk = new Uint8Array(0);
    while (!(await this.#source.next()).done) {
      // Nothing to keep.
    }
  }
}
