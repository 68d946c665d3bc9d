/** v86 cuts a send at a page. */
const PIECE_BYTES = 2048;
/** How soon the guest's driver is looked at again, which has given no buffer yet. */
const LOOK_AGAIN_MS = 5;
/** So much waits for a program that reads nothing; what comes then is dropped, as a terminal does. */
const FULL_BYTES = 4 << 20;

/** The guest's end of a terminal's input (virtio 1.2, 5.3). */
export interface KeyPort {
  /** Whether the guest has a buffer at the ready: v86 drops what finds none. */
  isReady(): boolean;
  /** Takes one buffer. */
  send(piece: Uint8Array): void;
}

/** Keys for a terminal, in the order in which they came, each piece when the guest has a buffer for it. */
export class TerminalKeys {
  readonly #port: KeyPort;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: KeyPort) {
    this.#port = port;
  }

  send(keys: Uint8Array): void {
    if (this.#bytes + keys.length > FULL_BYTES) return;
    for (let at = 0; at < keys.length; at += PIECE_BYTES) {
      this.#waiting.push(keys.subarray(at, at + PIECE_BYTES));
    }
    this.#bytes += keys.length;
    // Behind what waits already.
    if (this.#timer === undefined) this.#pass();
  }

  /** The terminal is over: what was typed ahead is nobody's. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
    this.#bytes = 0;
  }

  #pass(): void {
    this.#timer = undefined;
    let passed = 0;
    for (const piece of this.#waiting) {
      if (!this.#port.isReady()) break;
      this.#port.send(piece);
      this.#bytes -= piece.length;
      passed++;
    }
    this.#waiting.splice(0, passed);
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#pass(), LOOK_AGAIN_MS);
  }
}
