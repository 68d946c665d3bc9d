type Stream = "stdout" | "stderr";

/** What is gathered at most before it is sent. */
const BATCH_BYTES = 64 << 10;

/**
 * A turn's output on its way to the parent. Programs write 4 KiB at a time and less, many times within one slice of the
 * guest's time, and a message costs more than such a write: what comes first in a slice is sent at once, and what
 * follows in the same slice goes together.
 */
export class OutputBatch {
  readonly #send: (stream: Stream, chunk: Uint8Array) => void;
  readonly #atEndOfSlice: (work: () => void) => void;
  readonly #buffer = Buffer.allocUnsafeSlow(BATCH_BYTES);
  #stream: Stream = "stdout";
  #bytes = 0;
  #isPlanned = false;

  /** @param send gets chunks that are valid during the call only. */
  constructor(
    send: (stream: Stream, chunk: Uint8Array) => void,
    atEndOfSlice: (work: () => void) => void = setImmediate,
  ) {
    this.#send = send;
    this.#atEndOfSlice = atEndOfSlice;
  }

  /** @param chunk is not kept. */
  add(stream: Stream, chunk: Uint8Array): void {
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      this.#atEndOfSlice(() => {
        this.#isPlanned = false;
        this.flush();
      });
      this.#send(stream, chunk);
      return;
    }
    // The streams come in the order in which they were written.
    if (stream !== this.#stream || this.#bytes + chunk.length > BATCH_BYTES) this.flush();
    if (chunk.length > BATCH_BYTES) {
      this.#send(stream, chunk);
      return;
    }
    this.#stream = stream;
    this.#buffer.set(chunk, this.#bytes);
    this.#bytes += chunk.length;
  }

  /** Before the turn's end is told. */
  flush(): void {
    if (this.#bytes === 0) return;
    this.#send(this.#stream, this.#buffer.subarray(0, this.#bytes));
    this.#bytes = 0;
  }
}
