type Listener = (chunk: Uint8Array) => void;

/** Gathers a command's two streams, passing each chunk on as it comes. */
export class OutputCollector {
  readonly #chunks: Record<"stdout" | "stderr", Uint8Array[]> = { stdout: [], stderr: [] };
  readonly #listeners: Record<"stdout" | "stderr", Listener | undefined>;

  constructor(onStdout: Listener | undefined, onStderr: Listener | undefined) {
    this.#listeners = { stdout: onStdout, stderr: onStderr };
  }

  add(stream: "stdout" | "stderr", chunk: Uint8Array): void {
    this.#chunks[stream].push(chunk);
    this.#listeners[stream]?.(chunk);
  }

  get stdout(): Uint8Array {
    return Buffer.concat(this.#chunks.stdout);
  }

  get stderr(): Uint8Array {
    return Buffer.concat(this.#chunks.stderr);
  }
}
