import type { Clock } from "./clock.ts";
import { LIVE_LIMITS, type MessageContent, runningMessage } from "./slack/message.ts";
import { viewGrowing } from "./slack/output-view.ts";
import type { TurnMessage } from "./slack/turn-message.ts";
import { TailBuffer } from "./tail-buffer.ts";

/** A turn that ends before that is answered by its result alone. */
const QUIET_MS = 1_000;
/** Without new output, only the time that has passed is new. */
const TICK_MS = 5_000;
const TAIL_BYTES = 64 * 1024;

/** What the thread sees of a turn while it runs. */
export class TurnProgress {
  readonly #clock: Clock;
  readonly #threadKey: string;
  readonly #tail = new TailBuffer(TAIL_BYTES);
  #startedAtMs: number;
  #activity = "starting the computer";
  #shown: { atMs: number; activity: string; totalBytes: number } | undefined;

  constructor(message: TurnMessage, threadKey: string, clock: Clock) {
    this.#clock = clock;
    this.#threadKey = threadKey;
    this.#startedAtMs = clock.now();
    message.showLive(QUIET_MS, () => this.#render());
  }

  /** The command itself begins: the time shown is its own. */
  running(): void {
    this.#activity = "running";
    this.#startedAtMs = this.#clock.now();
  }

  output(chunk: Uint8Array): void {
    this.#tail.push(chunk);
  }

  /** The last lines of what was printed so far. */
  lastOutput(): string | undefined {
    return viewGrowing(this.#tail.bytes(), this.#tail.totalBytes, LIVE_LIMITS);
  }

  #render(): MessageContent | undefined {
    const now = this.#clock.now();
    const totalBytes = this.#tail.totalBytes;
    const isNews =
      this.#shown === undefined ||
      this.#shown.totalBytes !== totalBytes ||
      this.#shown.activity !== this.#activity ||
      now - this.#shown.atMs >= TICK_MS;
    if (!isNews) return undefined;
    this.#shown = { atMs: now, activity: this.#activity, totalBytes };
    const output = this.lastOutput();
    return runningMessage({
      activity: this.#activity,
      elapsedMs: now - this.#startedAtMs,
      threadKey: this.#threadKey,
      ...(output === undefined ? {} : { output }),
    });
  }
}
