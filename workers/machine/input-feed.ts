/** Longest piece of standard input sent at once. */
const CHUNK_BYTES = 256 << 10;

/** Sends standard input on, piece by piece, each when the one before was taken. */
export class InputFeed {
  #isStopped = false;

  /** @param send resolves when there is room for more; `null` is the end of input. */
  constructor(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    send: (chunk: Uint8Array | null) => Promise<unknown>,
  ) {
    this.#feed(source, send).catch(() => {
      // The command's own result tells why the machine takes no more; a source that failed ends the input.
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #feed(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    send: (chunk: Uint8Array | null) => Promise<unknown>,
  ): Promise<void> {
    try {
      for await (const piece of source instanceof Uint8Array ? [source] : source) {
        for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
          if (this.#isStopped) return;
          await send(piece.subarray(at, at + CHUNK_BYTES));
        }
      }
    } finally {
      if (!this.#isStopped) await send(null);
    }
  }
}
