import { setTimeout as sleep } from "node:timers/promises";
import type { Part } from "./part.ts";

export interface KeeperOptions {
  /** Starts the part once more. */
  start: () => Promise<Part>;
  /** Told of an end that nobody asked for. */
  onRestart: (message: string) => void;
  /** Told when it is no use: it ended again and again soon after its start. */
  onGiveUp: (message: string) => void;
  nowMs?: () => number;
}

/** A part that lived at least this long was well; one that did not, several times in a row, never will be. */
const wellAfterMs = 10_000;
const mostEarlyEnds = 4;
const firstDelayMs = 250;

/** Keeps a part running: when it ends by itself it is started again, with a growing pause between the attempts. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #nowMs: () => number;
  readonly #stopping = new AbortController();
  #part: Part;
  readonly #watching: Promise<void>;

  constructor(part: Part, options: KeeperOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? performance.now.bind(performance);
    this.#part = part;
    this.#watching = this.#watch();
  }

  get pid(): number | undefined {
    return this.#part.pid;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#part.stop();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    let startedMs = this.#nowMs();
    let earlyEnds = 0;
    for (;;) {
      const end = await this.#part.ended;
      if (signal.aborted) return;
      earlyEnds = this.#nowMs() - startedMs < wellAfterMs ? earlyEnds + 1 : 0;
      if (earlyEnds > mostEarlyEnds) {
        this.#options.onGiveUp(`The ${this.#part.name} ${end}, again and again.`);
        return;
      }
      this.#options.onRestart(`The ${this.#part.name} ${end}: starting it again.`);
      await sleep(firstDelayMs * 2 ** earlyEnds, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      startedMs = this.#nowMs();
      try {
        this.#part = await this.#options.start();
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onGiveUp(error instanceof Error ? error.message : String(error));
        return;
      }
      // It was asked to stop while it started.
      if (signal.aborted) await this.#part.stop();
    }
  }
}
