/** What of a v86 is needed to talk to a shell on its first serial line. */
export interface SerialPort {
  send(text: string): void;
  onByte(listener: (byte: number) => void): void;
}

export interface CommandEnd {
  exitCode: number;
  /** The last of what came before the marker, the terminal's echo of the command included. */
  text: string;
}

const NEWLINE = 10;
const SPACE = 32;
const KEPT_BYTES = 4_000;

/**
 * A shell on a serial console, the way most programs around v86 use one: wait for the prompt, type a command and
 * behind it one that prints a marker and the exit status, and read until the marker comes.
 */
export class SerialShell {
  readonly #port: SerialPort;
  #tail: number[] = [];
  #waiting: { isOver(tail: string): boolean; resolve(text: string): void } | undefined;
  #nextMarker = 1;

  constructor(port: SerialPort) {
    this.#port = port;
    port.onByte((byte) => this.#receive(byte));
  }

  async untilPrompt(timeoutMs: number): Promise<void> {
    await this.#until((tail) => tail.endsWith("# "), timeoutMs);
  }

  /** A command that does not come back: another shell, whose prompt is waited for. */
  async become(command: string, timeoutMs: number): Promise<void> {
    const prompted = this.untilPrompt(timeoutMs);
    this.#port.send(`${command}\n`);
    await prompted;
  }

  async run(command: string, timeoutMs: number): Promise<CommandEnd> {
    this.#tail = [];
    // The terminal's echo of the command has `$?` where the marker's line has the status.
    const marker = new RegExp(`mom-end-${this.#nextMarker} (\\d+)\\r?\\n$`);
    const ended = this.#until((tail) => marker.test(tail), timeoutMs);
    this.#port.send(`${command}; echo mom-end-${this.#nextMarker++} $?\n`);
    const text = await ended;
    const [line = "", status] = marker.exec(text) ?? [];
    return { exitCode: Number(status), text: text.slice(0, -line.length) };
  }

  #receive(byte: number): void {
    this.#tail.push(byte);
    if (this.#tail.length > 2 * KEPT_BYTES) this.#tail = this.#tail.slice(-KEPT_BYTES);
    if (this.#waiting === undefined || (byte !== NEWLINE && byte !== SPACE)) return;
    if (this.#waiting.isOver(Buffer.from(this.#tail.slice(-80)).toString("latin1"))) {
      // Now: more comes before anyone who waits gets to run.
      this.#waiting.resolve(Buffer.from(this.#tail).toString());
    }
  }

  #until(isOver: (tail: string) => boolean, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        const said = Buffer.from(this.#tail).toString().trim();
        reject(
          new Error(`the shell did not answer within ${timeoutMs / 1000} s; it said: ${said}`),
        );
      }, timeoutMs);
      this.#waiting = {
        isOver,
        resolve: (text) => {
          clearTimeout(timer);
          this.#waiting = undefined;
          resolve(text);
        },
      };
    });
  }
}
