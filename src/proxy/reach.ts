import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Exposure, ThreadPlace, TurnQueue } from "../queue/index.ts";
import { dial } from "./dial.ts";
import { refusals } from "./refusal.ts";

export interface ReachOptions {
  queue: Pick<TurnQueue, "place" | "wake">;
  /** How long a request waits for a thread to be woken. */
  wakeWithinMs: number;
  now: () => number;
}

const LOOK_EVERY_MS = 100;
/** A worker that cannot wake a thread now leaves it for later. */
const ASK_EVERY_MS = 1_000;

/** Finds threads, and has those woken that sleep. All who wait for one thread ask Redis together. */
export class Reach {
  readonly #options: ReachOptions;
  readonly #looks = new Map<string, Promise<ThreadPlace>>();
  readonly #askedAtMs = new Map<string, number>();

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  /** A connection to the port. Throws `Refusal`, `QueueError`, or the signal's reason. */
  async connect(exposure: Exposure, signal: AbortSignal): Promise<Socket> {
    const { wakeWithinMs, now } = this.#options;
    const { threadKey, port } = exposure;
    const deadlineMs = now() + wakeWithinMs;
    for (;;) {
      signal.throwIfAborted();
      const place = await this.#look(threadKey);
      if (place.kind === "unwakable") throw refusals.unwakable();
      if (place.kind === "awake") {
        const found = await dial(place.carrier, exposure, signal);
        if (found === "nothingRuns") throw refusals.silent(port);
        if (found === "noWayIn") throw refusals.noWayIn();
        if (found !== "asleep") return found;
      }
      if (now() >= deadlineMs) throw refusals.asleep();
      await this.#ask(threadKey);
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  #look(threadKey: string): Promise<ThreadPlace> {
    const known = this.#looks.get(threadKey);
    if (known) return known;
    const look = this.#options.queue.place(threadKey);
    this.#looks.set(threadKey, look);
    setTimeout(() => this.#looks.delete(threadKey), LOOK_EVERY_MS / 2).unref();
    return look;
  }

  async #ask(threadKey: string): Promise<void> {
    const { queue, now } = this.#options;
    const nowMs = now();
    if (nowMs - (this.#askedAtMs.get(threadKey) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return;
    this.#askedAtMs.set(threadKey, nowMs);
    setTimeout(() => {
      if (this.#askedAtMs.get(threadKey) === nowMs) this.#askedAtMs.delete(threadKey);
    }, ASK_EVERY_MS).unref();
    await queue.wake(threadKey, 2 * ASK_EVERY_MS);
  }
}
