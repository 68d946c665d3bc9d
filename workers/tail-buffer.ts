/** The end of a stream of bytes of any length, in bounded memory. */
export class TailBuffer {
  readonly #limitBytes: number;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #totalBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** All bytes that ever came. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  push(chunk: Uint8Array): void {
    // A copy, which `slice` of a Buffer would not be.
    const end = Uint8Array.from(chunk.subarray(-this.#limitBytes));
    this.#chunks.push(end);
    this.#heldBytes += end.length;
    this.#totalBytes += chunk.length;
    // Cut now and then, not at every chunk: each byte is copied a bounded number of times.
    if (this.#heldBytes > 2 * this.#limitBytes) this.bytes();
  }

  /** The last bytes, at most as many as the limit. */
  bytes(): Uint8Array {
    const end = new Uint8Array(Buffer.concat(this.#chunks).subarray(-this.#limitBytes));
    this.#chunks = [end];
    this.#heldBytes = end.length;
    return end;
  }
}
