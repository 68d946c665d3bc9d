import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { z } from "zod";
import { connectRedis, requireRedis } from "./connection.ts";
import { Bell } from "./drain.ts";
import { QueueError } from "./errors.ts";
import { type ExposedPort, type Exposure, Exposures, type ThreadPlace } from "./exposures.ts";
import { keys } from "./keys.ts";
import { type Lineage, snapshotsOf } from "./lineage.ts";
import type { Log } from "./log.ts";
import { Mailboxes } from "./mailbox.ts";
import type { JournalEntry } from "./outcome.ts";
import { listWorkers, type WorkerStatus } from "./status.ts";
import { parseThreadKey, type ThreadRef, type Turn, threadKey } from "./turn.ts";

export interface TurnQueueOptions {
  redisUrl: string;
  prefix: string;
  log: Log;
  now?: () => number;
}

export interface QueueStatus {
  workers: WorkerStatus[];
  /** Threads with a turn that runs or waits. */
  busyThreads: number;
  /** How long the first of them has had something to do; `null` without any. */
  longestWaitMs: number | null;
}

/** A thread that has had turns. */
export interface ThreadStatus {
  threadKey: string;
  lastUsedMs: number;
}

const READY_TIMEOUT_MS = 5_000;
/** Between the hosts of one installation. */
const CLOCKS_DIFFER_MS = 60_000;
const BELL_TIMEOUT_MS = 1_000;

/**
 * The app's side of the queue: put turns in, stop them, look at what is going on.
 * Every call fails within about two seconds when Redis is away, with `QueueError` `REDIS_UNREACHABLE`.
 *
 * @example
 * const queue = new TurnQueue({ ...config.queue, log });
 * await queue.ready();
 * await queue.submit(turn);
 * await queue.close();
 */
export class TurnQueue {
  readonly #redisUrl: string;
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #mailboxes: Mailboxes;
  readonly #exposures: Exposures;
  readonly #bell: Bell;
  readonly #log: Log;
  readonly #now: () => number;

  constructor({ redisUrl, prefix, log, now = Date.now }: TurnQueueOptions) {
    this.#redisUrl = redisUrl;
    this.#redis = connectRedis(redisUrl, "producer", log);
    this.#prefix = prefix;
    this.#mailboxes = new Mailboxes(this.#redis, prefix);
    this.#exposures = new Exposures(this.#redis, prefix);
    this.#bell = new Bell(this.#redis, prefix, log);
    this.#log = log;
    this.#now = now;
  }

  /** Wait for Redis to answer, at the start of a process. Throws `QueueError` with one sentence. */
  async ready(timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    await requireRedis(this.#redis, this.#redisUrl, timeoutMs);
  }

  /** Load what `submit` and waking need, which is in no hurry yet: at the start of a process that answers people. */
  async prepare(): Promise<void> {
    await this.#bell.prepare();
  }

  /**
   * Put a turn into its thread's mailbox and wake a worker. A turn id that came within the last 24 hours is
   * not taken again (`accepted: false`). `position` counts the turns of the thread, the running one included.
   * Throws `QueueError`.
   */
  async submit(turn: Turn): Promise<{ accepted: boolean; position: number }> {
    const { result, position } = await this.#ask(() => this.#mailboxes.submit(turn, this.#now()));
    if (result === "full") {
      throw new QueueError(
        "MAILBOX_FULL",
        `${position} commands are waiting in this thread already: wait for some of them to finish.`,
      );
    }
    // A duplicate rings too: its first delivery may have died between mailbox and bell.
    await this.#ring(threadKey(turn.thread));
    return { accepted: result === "accepted", position };
  }

  /**
   * End the running turn of a thread (`"running"`); where none runs, take the next one out of the mailbox
   * before it starts (`"queued"`). Later turns stay. Throws `QueueError`.
   */
  async stop(thread: ThreadRef, userId: string): Promise<"running" | "queued" | "nothing"> {
    return this.#ask(() => this.#mailboxes.stop(threadKey(thread), userId, this.#now()));
  }

  /** The newest entries of a thread's journal, the oldest of them first. */
  async journal(thread: ThreadRef, count = 50): Promise<JournalEntry[]> {
    return this.#ask(() => this.#mailboxes.journal(threadKey(thread), count));
  }

  /** The states that the thread's computer has been in. */
  async lineage(thread: ThreadRef): Promise<Lineage> {
    return this.#ask(() => this.#mailboxes.lineage(threadKey(thread)));
  }

  /** Threads that have had turns, those used last first. */
  async threads(most = 100_000): Promise<ThreadStatus[]> {
    return this.#ask(() => this.#mailboxes.threads(most));
  }

  /**
   * Forget a thread: its states and its journal; the next turn begins at the base. Not while it has turns, nor
   * when it was used after `unusedSinceMs`. What was stored for it goes with the next collection.
   */
  async forget(
    key: string,
    unusedSinceMs: number | "any" = "any",
  ): Promise<"forgotten" | "in use" | "unknown"> {
    if (!parseThreadKey(key)) return "unknown";
    return this.#ask(() => this.#mailboxes.forget(key, unusedSinceMs));
  }

  /**
   * Give a port of a thread a name that nobody guesses; the one that it has, if it has one.
   * Throws `QueueError` (`TOO_MANY_PORTS`, `UNUSED_THREAD`, `REDIS_UNREACHABLE`).
   */
  async expose(thread: ThreadRef, port: number): Promise<ExposedPort> {
    return this.#ask(() => this.#exposures.add(threadKey(thread), port));
  }

  /** Take a port's name away: says whether it had one. */
  async unexpose(thread: ThreadRef, port: number): Promise<boolean> {
    return this.#ask(() => this.#exposures.remove(threadKey(thread), port));
  }

  /** The exposed ports of a thread, the lowest first. */
  async exposedPorts(thread: ThreadRef): Promise<ExposedPort[]> {
    return this.#ask(() => this.#exposures.list(threadKey(thread)));
  }

  /** What a name stands for. */
  async exposure(name: string): Promise<Exposure | undefined> {
    return this.#ask(() => this.#exposures.find(name));
  }

  /** Where a thread is now, for those who use its ports. */
  async place(threadKey: string): Promise<ThreadPlace> {
    return this.#ask(() => this.#exposures.place(threadKey));
  }

  /** Have a thread woken that sleeps. Who still waits after this time asks again. */
  async wake(threadKey: string, waitMs: number): Promise<void> {
    await this.#ask(async () => {
      await this.#mailboxes.noteAwaited(threadKey, waitMs);
      await this.#bell.wake(threadKey);
    });
  }

  /** A random name that this installation has had since its first start: see `Snapshot.owner`. */
  async installation(): Promise<string> {
    const { installation } = keys(this.#prefix);
    return this.#ask(async () => {
      await this.#redis.set(installation, randomUUID(), "NX");
      return z.string().parse(await this.#redis.get(installation));
    });
  }

  /**
   * Every snapshot that some thread may still go to, at the end of this call. Threads that were used meanwhile are
   * looked at twice: a fork may have been made from one that was not looked at yet, and begun before it was.
   */
  async liveSnapshots(): Promise<Set<string>> {
    const startedAtMs = this.#now();
    const live = new Set<string>();
    const mark = async (since: number) => {
      for (const { threadKey: key, lastUsedMs } of await this.#mailboxes.threads(
        Number.MAX_SAFE_INTEGER,
      )) {
        if (lastUsedMs < since) continue;
        for (const id of snapshotsOf(await this.#mailboxes.lineage(key))) live.add(id);
      }
    };
    return this.#ask(async () => {
      await mark(0);
      await mark(startedAtMs - CLOCKS_DIFFER_MS);
      return live;
    });
  }

  async status(): Promise<QueueStatus> {
    return this.#ask(async () => {
      const workers = await listWorkers(this.#redis, this.#prefix, this.#now());
      const waiting = await this.#mailboxes.waiting(10_000);
      const first = waiting[0];
      return {
        workers,
        busyThreads: waiting.length,
        longestWaitMs: first ? Math.max(0, this.#now() - first.sinceMs) : null,
      };
    });
  }

  async close(): Promise<void> {
    await this.#bell.close();
    this.#redis.disconnect();
  }

  /** The turn is safe in its mailbox: a bell that fails is rung by the workers' next sweep. */
  async #ring(thread: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no answer from Redis")), BELL_TIMEOUT_MS);
    });
    try {
      await Promise.race([this.#bell.ring(thread), late]);
    } catch (error) {
      this.#log.warn({ err: error, thread }, "a turn is queued, but no worker could be woken yet");
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof QueueError) throw error;
      throw new QueueError("REDIS_UNREACHABLE", "The queue cannot be reached right now.", {
        cause: error,
      });
    }
  }
}
