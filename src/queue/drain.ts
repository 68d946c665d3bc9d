import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { keys } from "./keys.ts";
import type { Log } from "./log.ts";

export const DRAIN_QUEUE = "drain";

export interface DrainJob {
  threadKey: string;
  /** Only let the programs of a thread that sleeps go on. */
  isWake?: true;
}

/** Jobs without one, which have turns behind them, come first. */
const WAKE_PRIORITY = 1;

/**
 * The bell of the mailboxes: one BullMQ job a thread, "look into this mailbox". It carries no turn.
 * Rung while the thread's job waits, it does nothing; rung while the job runs, the job runs once more
 * afterwards (`keepLastIfActive`), so that a turn put in at the last moment is not overlooked.
 */
export class Bell {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #log: Log;
  #opened: Promise<Queue<DrainJob>> | undefined;

  constructor(redis: Redis, prefix: string, log: Log) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#log = log;
  }

  /** Have at hand what ringing needs, which takes a third of a second: many who look at the queue never ring. */
  async prepare(): Promise<void> {
    await this.#queue();
  }

  async ring(threadKey: string): Promise<void> {
    const queue = await this.#queue();
    await queue.add(
      "drain",
      { threadKey },
      { deduplication: { id: threadKey, keepLastIfActive: true } },
    );
  }

  /** Have a thread woken, once nobody waits for a turn. Does nothing while it is on its way. */
  async wake(threadKey: string): Promise<void> {
    const queue = await this.#queue();
    await queue.add(
      "wake",
      { threadKey, isWake: true },
      { deduplication: { id: `${threadKey}-wake` }, priority: WAKE_PRIORITY, attempts: 1 },
    );
  }

  async close(): Promise<void> {
    await (await this.#opened)?.close();
  }

  #queue(): Promise<Queue<DrainJob>> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<Queue<DrainJob>> {
    const { Queue } = await import("bullmq");
    const queue = new Queue<DrainJob>(DRAIN_QUEUE, {
      connection: this.#redis,
      prefix: keys(this.#prefix).bullmq,
      defaultJobOptions: {
        removeOnComplete: true,
        removeOnFail: { count: 100, age: 24 * 60 * 60 },
        // How often a turn may start is counted in the mailbox; the job itself is tried until then.
        attempts: 1_000,
        backoff: { type: "fixed", delay: 1_000 },
      },
      streams: { events: { maxLen: 1_000 } },
    });
    queue.on("error", (err) => this.#log.debug({ err }, "the drain queue reports an error"));
    return queue;
  }
}
