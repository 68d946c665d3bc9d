import { NinePError } from "../ninep/errno.ts";
import { PendingRead } from "../ninep/filesystem.ts";

/** Input that waits for the guest; a writer is asked to wait while there is more. */
const FULL_BYTES = 1 << 20;

/** Standard input of a turn: written by the host, read once and in order by the guest. */
export class InputBuffer {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Offset of the first byte still here. */
  #offset = 0;
  #isEnded = false;
  #reader: PendingRead | undefined;
  #whenRoom: (() => void)[] = [];

  /** Resolves when there is room for more. */
  push(chunk: Uint8Array): Promise<void> {
    if (this.#isEnded || chunk.length === 0) return Promise.resolve();
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#serveReader();
    if (this.#bytes < FULL_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#whenRoom.push(resolve));
  }

  end(): void {
    this.#isEnded = true;
    this.#serveReader();
  }

  /** Nobody reads any more: what waits is dropped and writers go on. */
  discard(): void {
    this.end();
    this.#offset += this.#bytes;
    this.#chunks = [];
    this.#bytes = 0;
    this.#letWritersGo();
  }

  read(offset: number, into: Uint8Array): number | PendingRead {
    if (offset !== this.#offset) {
      throw new NinePError("EIO", "standard input can only be read in order");
    }
    if (this.#bytes > 0 || this.#isEnded) return this.#take(into);
    this.#reader?.complete(new Uint8Array(0));
    const reader = new PendingRead(into.length, () => {
      if (this.#reader === reader) this.#reader = undefined;
    });
    this.#reader = reader;
    return reader;
  }

  #serveReader(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    const into = new Uint8Array(Math.min(reader.maxBytes, this.#bytes));
    reader.complete(into.subarray(0, this.#take(into)));
  }

  #take(into: Uint8Array): number {
    let taken = 0;
    while (taken < into.length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, into.length - taken);
      into.set(part, taken);
      taken += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#offset += taken;
    this.#bytes -= taken;
    if (this.#bytes < FULL_BYTES) this.#letWritersGo();
    return taken;
  }

  #letWritersGo(): void {
    const waiting = this.#whenRoom;
    this.#whenRoom = [];
    for (const go of waiting) go();
  }
}
