/** What a read of a stream in full flow goes into: as much as one frame takes to the guest. */
const LARGE_BYTES = 65_536;
/** A stream that says little waits with this much, so that hundreds of idle ones hold no megabytes. */
const SMALL_BYTES = 4_096;
/** A chunk that fills less of its buffer is copied: what is kept is never more than twice the bytes. */
const WORTH_KEEPING_BYTES = LARGE_BYTES / 2;
const TRIM_MS = 10_000;

/** Bytes that came, for who keeps them until `release` is called; without it, for good. */
export interface ReadChunk {
  bytes: Uint8Array;
  release?: () => void;
}

/**
 * Buffers that reads go into again and again. Left to itself, Node.js makes one of 64 KiB for each read, and for every 64 MB
 * of them V8 collects all garbage: a third of the processor time of a download.
 */
export class ReadBuffers {
  #free: Uint8Array[] = [];
  /** Of these, so many have not been needed since the last trim. */
  #unneeded = 0;
  #trimming: NodeJS.Timeout | undefined;

  /** Buffers that nobody uses now. */
  get freeCount(): number {
    return this.#free.length;
  }

  take(): Uint8Array {
    const buffer = this.#free.pop() ?? new Uint8Array(LARGE_BYTES);
    this.#unneeded = Math.min(this.#unneeded, this.#free.length);
    return buffer;
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
    this.#trimming ??= setInterval(() => this.#trim(), TRIM_MS).unref();
  }

  /** Lets go what a busier time has left. */
  #trim(): void {
    this.#free.splice(0, this.#unneeded);
    this.#unneeded = this.#free.length;
    if (this.#free.length > 0) return;
    clearInterval(this.#trimming);
    this.#trimming = undefined;
  }
}

/** Which buffer the next read of one stream goes into, and what becomes of what it read. */
export class StreamReader {
  readonly #buffers: ReadBuffers;
  /** Made at the first small read. */
  #small: Uint8Array | undefined;
  #large: Uint8Array | undefined;
  /** The last read found more than it took. */
  #isInFlow = false;
  #isClosed = false;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
  }

  next(): Uint8Array {
    if (this.#isInFlow && !this.#isClosed) {
      this.#large ??= this.#buffers.take();
      return this.#large;
    }
    this.#giveBack();
    this.#small ??= new Uint8Array(SMALL_BYTES);
    return this.#small;
  }

  /** @param length of what was read into the buffer that `next` gave last. */
  received(length: number): ReadChunk {
    const large = this.#large;
    const buffer = large ?? this.#small ?? new Uint8Array(0);
    this.#isInFlow = length === buffer.length || length > SMALL_BYTES;
    if (large === undefined || length < WORTH_KEEPING_BYTES)
      return { bytes: buffer.slice(0, length) };
    this.#large = undefined;
    return { bytes: large.subarray(0, length), release: once(() => this.#buffers.give(large)) };
  }

  /** The stream is closed: nothing is read any more. */
  close(): void {
    this.#isClosed = true;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#large === undefined) return;
    this.#buffers.give(this.#large);
    this.#large = undefined;
  }
}

/** A buffer that is given back twice would get the bytes of two streams. */
function once(release: () => void): () => void {
  let isReleased = false;
  return () => {
    if (isReleased) return;
    isReleased = true;
    release();
  };
}
