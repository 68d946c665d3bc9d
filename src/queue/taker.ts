import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "bullmq";
import type { Redis } from "ioredis";
import { connectRedis, requireRedis } from "./connection.ts";
import { Bell, DRAIN_QUEUE, type DrainJob } from "./drain.ts";
import { QueueError, TurnAborted } from "./errors.ts";
import { keys } from "./keys.ts";
import { afterMove } from "./lineage.ts";
import type { Log } from "./log.ts";
import { Mailboxes, type StartedTurn, type ThreadState } from "./mailbox.ts";
import { journalEntry, type TurnOutcome } from "./outcome.ts";
import { abortCode, type RunningTurn, stop } from "./running-turn.ts";
import { settlesWithin } from "./settles-within.ts";
import { removeHeartbeat, writeHeartbeat } from "./status.ts";
import {
  type TakerTiming,
  TIMING,
  type TurnContext,
  type TurnTakerOptions,
} from "./taker-options.ts";
import type { Turn } from "./turn.ts";

/** A turn that was started so often without an end takes its worker down with it: it is not started again. */
const MOST_STARTS = 3;
const READY_TIMEOUT_MS = 5_000;
const SWEEP_THREADS = 1_000;
const HELD_RETRY_MS = 50;
/** A machine may have to be started first. */
const WAKE_HOLD_MS = 10_000;
const UNWAKABLE_MS = 10_000;

/**
 * The worker's side of the queue: takes turns, one at a time a thread and in order, and closes them.
 *
 * @example
 * const taker = new TurnTaker({ ...config.queue, workerId, log, handle, abandon });
 * await taker.run();
 * await taker.close({ deadlineMs: 30_000 });
 */
export class TurnTaker {
  readonly #options: TurnTakerOptions;
  readonly #timing: TakerTiming;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #running = new Map<string, RunningTurn>();
  #session: Session | undefined;
  #startedAtMs = 0;
  #turnsDone = 0;
  #closing = false;

  constructor(options: TurnTakerOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
  }

  /** Start taking turns. Throws `QueueError` when Redis cannot be reached now; waits for it later on. */
  async run(): Promise<void> {
    const { redisUrl, prefix, log } = this.#options;
    const redis = connectRedis(redisUrl, "worker", log);
    try {
      await requireRedis(redis, redisUrl, READY_TIMEOUT_MS);
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    const subscriber = connectRedis(redisUrl, "worker", log);
    const { stops, wanted } = keys(prefix);
    subscriber.on("message", (channel, threadKey) => {
      if (channel === wanted) return this.#options.onWanted?.(threadKey);
      const running = this.#running.get(threadKey);
      if (running) void this.#watch(running);
    });
    await subscriber.subscribe(stops, wanted);
    const { Worker } = await import("bullmq");
    this.#startedAtMs = this.#now();
    this.#session = {
      redis,
      subscriber,
      mailboxes: new Mailboxes(redis, prefix),
      bell: new Bell(redis, prefix, log),
      worker: this.#drainWorker(Worker, redis),
      timers: [
        setInterval(() => void this.#beat(), this.#timing.heartbeat),
        setInterval(() => void this.#sweep(), this.#timing.sweep),
      ],
    };
    await this.#beat();
    await this.#sweep();
  }

  /** Hold a thread between turns: see `Mailboxes.hold`. */
  hold(closed: ThreadState, forMs: number): Promise<boolean> {
    return this.#open().mailboxes.hold(closed, this.#options.workerId, forMs);
  }

  /** Let it go: see `Mailboxes.letGo`. */
  letGo(closed: ThreadState, later?: string): Promise<boolean> {
    return this.#open().mailboxes.letGo(closed, this.#options.workerId, later);
  }

  /**
   * Take no more turns, let the running ones finish until the deadline, then abort them (`CLOSING`): they go
   * back to the head of their mailbox and run again elsewhere. Never throws, never hangs.
   */
  async close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    const session = this.#session;
    if (!session || this.#closing) return;
    this.#closing = true;
    for (const timer of session.timers) clearInterval(timer);
    const closed = session.worker.close();
    if (!(await settlesWithin(closed, deadlineMs))) {
      for (const running of this.#running.values()) {
        running.abort.abort(new TurnAborted("CLOSING", "This worker is being stopped."));
      }
      if (!(await settlesWithin(closed, this.#timing.closeGrace))) {
        this.#log.warn(
          { turns: [...this.#running.values()].map(({ started }) => started.turn.id) },
          "a turn did not end in time; another worker takes it when its lock expires",
        );
        await settlesWithin(session.worker.disconnect(), 1_000);
      }
    }
    const { prefix, workerId } = this.#options;
    await settlesWithin(removeHeartbeat(session.redis, prefix, workerId), 1_000);
    await settlesWithin(session.bell.close(), 1_000);
    session.subscriber.disconnect();
    session.redis.disconnect();
  }

  #drainWorker(BullWorker: typeof Worker, redis: Redis): Worker<DrainJob> {
    const { prefix, workerId, concurrency = 1 } = this.#options;
    const worker = new BullWorker<DrainJob>(DRAIN_QUEUE, (job) => this.#take(job.data), {
      connection: redis,
      prefix: keys(prefix).bullmq,
      name: workerId,
      concurrency,
      lockDuration: this.#timing.lock,
      stalledInterval: this.#timing.stalledCheck,
      // How often a turn may start is counted in the mailbox; a job that stalls is always taken up again.
      maxStalledCount: 1_000,
    });
    worker.on("error", (err) => this.#log.debug({ err }, "the drain worker reports an error"));
    worker.on("stalled", (job) =>
      this.#log.warn({ job }, "a worker went away; its turn runs again"),
    );
    worker.on("failed", (job, err) =>
      this.#log.warn({ err, thread: job?.data.threadKey }, "a turn did not come to its end"),
    );
    return worker;
  }

  async #take({ threadKey, isWake }: DrainJob): Promise<void> {
    try {
      if (isWake) await this.#wake(threadKey);
      else await this.#drain(threadKey);
    } finally {
      this.#options.afterDrain?.();
    }
  }

  /** Whoever wants it awake asks again: it is left for later where that is better. */
  async #wake(threadKey: string): Promise<void> {
    const { waking, beforeTurn, workerId } = this.#options;
    if (!waking?.mayWake(threadKey) || this.#closing) return;
    const { mailboxes } = this.#open();
    const thread = await mailboxes.wake(threadKey, workerId, WAKE_HOLD_MS, this.#now());
    if (!thread) return;
    try {
      await beforeTurn?.(threadKey);
      await waking.wake(thread);
    } catch (err) {
      this.#log.warn({ err, thread: threadKey }, "a thread could not be woken");
      await mailboxes.letGo(thread, workerId);
      if (!this.#closing) await mailboxes.noteUnwakable(threadKey, UNWAKABLE_MS);
    }
  }

  /** Run the turns of one mailbox until it is empty, this worker closes, or others have waited enough. */
  async #drain(threadKey: string): Promise<void> {
    const { bell, mailboxes } = this.#open();
    // The bell may ring once more than there are turns: for nothing, nothing that goes on in the machine is ended.
    if (!(await mailboxes.hasTurns(threadKey))) return;
    const until = this.#now() + this.#timing.slice;
    let left: number;
    do {
      await this.#options.beforeTurn?.(threadKey);
      const started = await this.#begin(threadKey);
      if (!started) return;
      left = await this.#runTurn(started);
    } while (left > 0 && !this.#closing && this.#now() < until);
    if (left > 0) await bell.ring(threadKey);
  }

  /** The next turn, once no other worker holds the thread. */
  async #begin(threadKey: string): Promise<StartedTurn | undefined> {
    for (;;) {
      try {
        return await this.#open().mailboxes.begin(threadKey, this.#options.workerId);
      } catch (error) {
        if (!(error instanceof QueueError && error.code === "HELD")) throw error;
        if (this.#closing) return undefined;
        await sleep(HELD_RETRY_MS);
      }
    }
  }

  /** Turns left in the mailbox. Throws when the turn is to be started again. */
  async #runTurn(started: StartedTurn): Promise<number> {
    const { mailboxes } = this.#open();
    const running: RunningTurn = {
      started,
      startedAtMs: this.#now(),
      stoppedBy: undefined,
      abort: new AbortController(),
    };
    this.#running.set(started.threadKey, running);
    if (started.stoppedBy) stop(running, started.stoppedBy);
    const timer = setInterval(() => void this.#watch(running), this.#timing.watch);
    try {
      const outcome = await this.#outcome(running);
      const entry = journalEntry(started.turn, outcome, {
        startedAtMs: running.startedAtMs,
        finishedAtMs: this.#now(),
        workerId: this.#options.workerId,
        attempt: started.attempt,
        snapshotBefore: started.position.head,
        snapshotAfter: afterMove(started.position, outcome.move),
        ...(running.stoppedBy ? { stoppedBy: running.stoppedBy } : {}),
      });
      const left = await mailboxes.complete(started, entry, outcome.move);
      if (left === "lost") {
        this.#log.warn({ turn: started.turn.id }, "another worker took the turn; result dropped");
        return 0;
      }
      this.#turnsDone += 1;
      if (left === 0 && outcome.move?.kind === "commit" && outcome.move.snapshot !== null) {
        const { turn, threadKey, version } = started;
        const { snapshot } = outcome.move;
        this.#options.afterTurn?.({ threadKey, version, snapshot, turnId: turn.id });
      }
      return left;
    } catch (error) {
      const reason: unknown = running.abort.signal.reason;
      if (!(reason instanceof TurnAborted)) throw error;
      if (reason.code === "LOST") return 0;
      await mailboxes.release(started);
      return 1;
    } finally {
      clearInterval(timer);
      this.#running.delete(started.threadKey);
    }
  }

  async #outcome(running: RunningTurn): Promise<TurnOutcome> {
    const { turn, attempt } = running.started;
    const context = this.#contextOf(running);
    if (attempt > MOST_STARTS) {
      await this.#tellAbandoned(turn, attempt - 1, context);
      return {
        status: "abandoned",
        exitCode: null,
        durationMs: 0,
        outputBytes: 0,
        error: `Started ${attempt - 1} times, it never came to an end.`,
      };
    }
    try {
      return await this.#options.handle(turn, context);
    } catch (error) {
      // Who stops a turn wants it over, not tried again.
      if (!running.stoppedBy) throw error;
      return { status: "canceled", exitCode: null, durationMs: 0, outputBytes: 0 };
    }
  }

  #contextOf(running: RunningTurn): TurnContext {
    const { attempt, position, threadKey } = running.started;
    const { signal } = running.abort;
    return {
      signal,
      attempt,
      position,
      lineage: () => this.#open().mailboxes.lineage(threadKey),
      confirm: async () => {
        await this.#watch(running);
        if (abortCode(signal) === "LOST") throw signal.reason;
      },
    };
  }

  async #tellAbandoned(turn: Turn, attempts: number, context: TurnContext): Promise<void> {
    try {
      await this.#options.abandon(turn, attempts, context);
    } catch (err) {
      this.#log.error({ err, turn: turn.id }, "the thread could not be told of an abandoned turn");
    }
  }

  /** Is a running turn still ours, and does somebody want it stopped? */
  async #watch(running: RunningTurn): Promise<void> {
    try {
      const { ours, stoppedBy } = await this.#open().mailboxes.watch(running.started);
      if (this.#running.get(running.started.threadKey) !== running) return;
      if (!ours) running.abort.abort(new TurnAborted("LOST", "Another worker runs this turn."));
      else if (stoppedBy) stop(running, stoppedBy);
    } catch (err) {
      this.#log.debug({ err }, "a running turn could not be looked up");
    }
  }

  async #beat(): Promise<void> {
    const { prefix, workerId, waking } = this.#options;
    try {
      const status = {
        id: workerId,
        host: hostname(),
        pid: process.pid,
        startedAtMs: this.#startedAtMs,
        seenAtMs: this.#now(),
        turnsDone: this.#turnsDone,
        running: [...this.#running.values()].map(({ started, startedAtMs }) => ({
          turnId: started.turn.id,
          threadKey: started.threadKey,
          startedAtMs,
        })),
      };
      await writeHeartbeat(this.#open().redis, prefix, status, waking?.carrier);
    } catch (err) {
      this.#log.debug({ err }, "no sign of life could be written");
    }
  }

  /** Ring for every mailbox that has turns, in case somebody went away between mailbox and bell. */
  async #sweep(): Promise<void> {
    const { mailboxes, bell } = this.#open();
    try {
      for (const { threadKey } of await mailboxes.waiting(SWEEP_THREADS)) {
        if (this.#closing) return;
        if (!this.#running.has(threadKey)) await bell.ring(threadKey);
      }
    } catch (err) {
      this.#log.debug({ err }, "the mailboxes could not be looked through");
    }
  }

  #open(): Session {
    if (!this.#session) throw new Error("TurnTaker.run() comes first");
    return this.#session;
  }
}

interface Session {
  redis: Redis;
  subscriber: Redis;
  mailboxes: Mailboxes;
  bell: Bell;
  worker: Worker<DrainJob>;
  timers: NodeJS.Timeout[];
}
