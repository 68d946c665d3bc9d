import type { OutputChunk } from "./messages.ts";

/** What is gathered at most before it is sent. */
const BATCH_BYTES = 64 << 10;
/** Room at first: most turns write less. */
const FIRST_BYTES = 4 << 10;

/**
 * A turn's output on its way to the parent. Programs write 4 KiB at a time and less, many times within one slice of the
 * guest's time, and a message costs more than such a write: what comes in one slice is sent together at its end. Most
 * turns are over within the slice that they wrote in, and what they wrote goes along with the message that they are.
 */
export class OutputBatch {
  readonly #send: (output: OutputChunk) => void;
  readonly #atEndOfSlice: (work: () => void) => void;
  #buffer = new Uint8Array(0);
  #stream: OutputChunk["stream"] = "stdout";
  #bytes = 0;
  #isPlanned = false;

  /** @param send gets chunks that are valid during the call only. */
  constructor(
    send: (output: OutputChunk) => void,
    atEndOfSlice: (work: () => void) => void = setImmediate,
  ) {
    this.#send = send;
    this.#atEndOfSlice = atEndOfSlice;
  }

  /** @param chunk is not kept. */
  add(stream: OutputChunk["stream"], chunk: Uint8Array): void {
    // The streams come in the order in which they were written.
    if (stream !== this.#stream || this.#bytes + chunk.length > BATCH_BYTES) this.flush();
    if (chunk.length > BATCH_BYTES) {
      this.#send({ stream, chunk });
      return;
    }
    this.#stream = stream;
    this.#makeRoom(this.#bytes + chunk.length);
    this.#buffer.set(chunk, this.#bytes);
    this.#bytes += chunk.length;
    this.#plan();
  }

  flush(): void {
    const rest = this.take();
    if (rest !== null) this.#send(rest);
  }

  /** What has not been sent, for who sends it: valid until more is added. */
  take(): OutputChunk | null {
    if (this.#bytes === 0) return null;
    const chunk = this.#buffer.subarray(0, this.#bytes);
    this.#bytes = 0;
    return { stream: this.#stream, chunk };
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(bytes > FIRST_BYTES ? BATCH_BYTES : FIRST_BYTES);
    larger.set(this.#buffer.subarray(0, this.#bytes));
    this.#buffer = larger;
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#atEndOfSlice(() => {
      this.#isPlanned = false;
      this.flush();
    });
  }
}
