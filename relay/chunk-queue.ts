/** Chunks below this are copied together, so that a flood of tiny ones costs no more memory than their bytes. */
const SMALL_BYTES = 1024;
const BLOCK_BYTES = 8192;

/** A queue of bytes that keeps large chunks as they came. */
export class ChunkQueue {
  #chunks: Uint8Array[] = [];
  #first = 0;
  /** Bytes of the first chunk that are gone. */
  #skipped = 0;
  /** The last chunk, when it is a block of ours with room behind it. */
  #block: Uint8Array | undefined;
  #length = 0;
  /** Who is told that a chunk is no longer used. */
  readonly #releases = new Map<Uint8Array, () => void>();

  get length(): number {
    return this.#length;
  }

  /** @param release called when the queue has no more use of the chunk. */
  push(chunk: Uint8Array, release?: () => void): void {
    const size = chunk.length;
    if (size === 0) {
      release?.();
      return;
    }
    this.#length += size;
    const last = this.#chunks.length - 1;
    const tail = last >= this.#first ? this.#chunks[last] : undefined;
    if (size >= SMALL_BYTES || tail === undefined) {
      this.#chunks.push(chunk);
      this.#block = undefined;
      if (release !== undefined) this.#releases.set(chunk, release);
      return;
    }
    this.#copyToTail(chunk, tail);
    release?.();
  }

  #copyToTail(chunk: Uint8Array, tail: Uint8Array): void {
    const size = chunk.length;
    const last = this.#chunks.length - 1;
    if (this.#block === undefined || tail.length + size > BLOCK_BYTES) {
      if (tail.length >= SMALL_BYTES) {
        this.#block = new Uint8Array(BLOCK_BYTES);
        this.#block.set(chunk);
        this.#chunks.push(this.#block.subarray(0, size));
        return;
      }
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#block.set(tail);
      this.#release(tail);
    }
    this.#block.set(chunk, tail.length);
    this.#chunks[last] = this.#block.subarray(0, tail.length + size);
  }

  /** Copies `length` bytes that begin `offset` bytes after the front. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    let skip = offset + this.#skipped;
    let written = 0;
    for (let index = this.#first; written < length; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) return;
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const size = Math.min(chunk.length - skip, length - written);
      target.set(
        skip === 0 && size === chunk.length ? chunk : chunk.subarray(skip, skip + size),
        at + written,
      );
      written += size;
      skip = 0;
    }
  }

  /** Drops bytes at the front. */
  consume(length: number): void {
    let left = Math.min(length, this.#length);
    this.#length -= left;
    while (left > 0) {
      const rest = (this.#chunks[this.#first]?.length ?? 0) - this.#skipped;
      if (left < rest) {
        this.#skipped += left;
        return;
      }
      left -= rest;
      this.#dropFirst();
    }
  }

  /** Takes the first chunk out: one without `release`, or its bytes would be another's before they are read. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined) return undefined;
    const rest = this.#skipped === 0 ? chunk : chunk.subarray(this.#skipped);
    this.#length -= rest.length;
    this.#dropFirst();
    return rest;
  }

  clear(): void {
    for (const release of this.#releases.values()) release();
    this.#releases.clear();
    this.#chunks = [];
    this.#first = 0;
    this.#skipped = 0;
    this.#length = 0;
    this.#block = undefined;
  }

  #dropFirst(): void {
    this.#release(this.#chunks[this.#first]);
    this.#skipped = 0;
    this.#first++;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
      this.#block = undefined;
    } else if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }

  #release(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) return;
    const release = this.#releases.get(chunk);
    if (release === undefined) return;
    this.#releases.delete(chunk);
    release();
  }
}

/** Copies bytes whose buffer is much larger than they are: it would be kept as long as they. */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > bytes.length * 2 + 128 ? bytes.slice() : bytes;
}
