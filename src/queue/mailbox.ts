import type { Redis } from "ioredis";
import { z } from "zod";
import { QueueError } from "./errors.ts";
import { type Keys, keys } from "./keys.ts";
import {
  type HeadMove,
  LINEAGE_STEPS,
  type Lineage,
  type LineageStep,
  lineageOf,
  type Position,
  positionOf,
  STEP_COMMAND_LENGTH,
} from "./lineage.ts";
import { type JournalEntry, journalEntry, type TurnOutcome } from "./outcome.ts";
import {
  BEGIN,
  COMPLETE,
  FORGET,
  HOLD,
  LET_GO,
  RELEASE,
  Script,
  STOP,
  SUBMIT,
  WAKE,
  WATCH,
  WITHDRAW,
} from "./scripts.ts";
import { type Turn, threadKey } from "./turn.ts";

/** A turn that a worker has started. Whoever starts it again gets a higher `version`; this one is void then. */
export interface StartedTurn {
  turn: Turn;
  threadKey: string;
  version: number;
  /** 1 for the first time; more when a worker went away in the middle. */
  attempt: number;
  /** Who asked to stop it, before it came to this worker. */
  stoppedBy: string | undefined;
  position: Position;
}

/** A thread between two turns, in the state that it stands in. */
export interface ThreadState {
  threadKey: string;
  version: number;
  /** `null` for the base. */
  snapshot: string | null;
  /** The turn that led there. */
  turnId: string;
}

/** Turns waiting in one thread: more are refused. */
const MAILBOX_TURNS = 100;
const JOURNAL_ENTRIES = 200;
/** A worker that goes on with a thread after its turn holds it by then. */
const TURN_REST_MS = 500;
/** Slack delivers an event again for up to a day. */
const SEEN_MS = 24 * 60 * 60 * 1_000;

/**
 * The mailboxes: per thread a list of turns, one of which runs at a time. Each method is one step in Redis.
 * It wakes nobody: see `TurnQueue` and `TurnTaker`.
 */
export class Mailboxes {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #submit = new Script(SUBMIT);
  readonly #begin = new Script(BEGIN);
  readonly #watch = new Script(WATCH);
  readonly #complete = new Script(COMPLETE);
  readonly #forget = new Script(FORGET);
  readonly #hold = new Script(HOLD);
  readonly #letGo = new Script(LET_GO);
  readonly #release = new Script(RELEASE);
  readonly #stop = new Script(STOP);
  readonly #wake = new Script(WAKE);
  readonly #withdraw = new Script(WITHDRAW);

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#keys = keys(prefix);
  }

  async submit(
    turn: Turn,
    nowMs: number,
  ): Promise<{ result: "accepted" | "duplicate" | "full"; position: number }> {
    const thread = threadKey(turn.thread);
    const { seen, mailbox, waiting } = this.#keys;
    const reply = await this.#submit.run(
      this.#redis,
      [seen(turn.id), mailbox(thread), waiting],
      [JSON.stringify(turn), SEEN_MS, thread, nowMs, MAILBOX_TURNS],
    );
    const [code, position] = submitReply.parse(reply);
    return { result: code === 1 ? "accepted" : code === 0 ? "duplicate" : "full", position };
  }

  async hasTurns(thread: string): Promise<boolean> {
    return (await this.#redis.exists(this.#keys.mailbox(thread))) === 1;
  }

  /**
   * Start the next turn, or `undefined` when the mailbox is empty. Throws `QueueError` `HELD` while another worker
   * holds the thread; it has been asked to let go.
   */
  async begin(thread: string, workerId: string): Promise<StartedTurn | undefined> {
    const reply = await this.#begin.run(
      this.#redis,
      [
        this.#keys.thread(thread),
        this.#keys.mailbox(thread),
        this.#keys.waiting,
        this.#keys.lineage(thread),
        this.#keys.hold(thread),
      ],
      [thread, workerId, this.#keys.wanted],
    );
    if (reply === null) return undefined;
    if (reply === 0) throw new QueueError("HELD", "Another worker holds this thread.");
    const [head, version, attempt, stoppedBy, root, before, current, next] =
      beginReply.parse(reply);
    return {
      turn: parseTurn(head),
      threadKey: thread,
      version,
      attempt,
      stoppedBy: stoppedBy || undefined,
      position: positionOf({ root, before, current, next }),
    };
  }

  async watch(started: StartedTurn): Promise<{ ours: boolean; stoppedBy: string | undefined }> {
    const reply = await this.#watch.run(
      this.#redis,
      [this.#keys.thread(started.threadKey)],
      [started.version],
    );
    return { ours: reply !== null, stoppedBy: z.string().nullable().parse(reply) || undefined };
  }

  /** Turns left in the mailbox, or `"lost"` when another worker has started this turn since. */
  async complete(
    started: StartedTurn,
    entry: JournalEntry,
    move?: HeadMove,
  ): Promise<number | "lost"> {
    const { thread, mailbox, waiting, journal, lineage, threads } = this.#keys;
    const key = started.threadKey;
    const forked = move?.kind === "fork" ? [thread(move.threadKey), journal(move.threadKey)] : [];
    const reply = await this.#complete.run(
      this.#redis,
      [thread(key), mailbox(key), waiting, journal(key), lineage(key), threads, ...forked],
      [
        started.version,
        started.turn.id,
        key,
        JSON.stringify(entry),
        JOURNAL_ENTRIES,
        entry.finishedAtMs,
        move?.kind ?? "",
        moveArgument(move, entry),
        LINEAGE_STEPS,
      ],
    );
    const left = z.number().parse(reply);
    return left < 0 ? "lost" : left;
  }

  /** Keep other workers from starting a turn of this thread. Says whether it is still as the turn left it. */
  async hold({ threadKey: key, version }: ThreadState, workerId: string, forMs: number) {
    const { thread, hold } = this.#keys;
    const reply = await this.#hold.run(
      this.#redis,
      [thread(key), hold(key)],
      [version, workerId, forMs],
    );
    return reply === 1;
  }

  /** Somebody waits for a thread to be woken, and says so again before this time is over. */
  async noteAwaited(key: string, forMs: number): Promise<void> {
    await this.#redis.set(this.#keys.awaited(key), "1", "PX", forMs);
  }

  /** Take a thread that sleeps and is awaited, to let its programs go on; `undefined` when there is nothing to wake. */
  async wake(
    key: string,
    workerId: string,
    forMs: number,
    nowMs: number,
  ): Promise<ThreadState | undefined> {
    const { thread, mailbox, lineage, hold, threads, awaited } = this.#keys;
    const reply = await this.#wake.run(
      this.#redis,
      [thread(key), mailbox(key), lineage(key), hold(key), threads, awaited(key)],
      [key, workerId, forMs, nowMs, TURN_REST_MS],
    );
    if (reply === null) return undefined;
    const [version, root, current] = wakeReply.parse(reply);
    const { head, undo } = positionOf({ root, before: "", current, next: "" });
    // A thread that was forked and has had no turn stands in the state of another's.
    return { threadKey: key, version, snapshot: head, turnId: undo?.step.turnId ?? key };
  }

  /** Waking it has failed: for so long it makes no sense to try again. */
  async noteUnwakable(key: string, forMs: number): Promise<void> {
    await this.#redis.set(this.#keys.unwakable(key), "1", "PX", forMs);
  }

  /** Let it go again, in the state that the turn led to or in a later one: says whether it could be kept. */
  async letGo(
    { threadKey: key, version, snapshot }: ThreadState,
    workerId: string,
    later?: string,
  ): Promise<boolean> {
    const { thread, hold, lineage } = this.#keys;
    const reply = await this.#letGo.run(
      this.#redis,
      [thread(key), hold(key), lineage(key)],
      [version, workerId, snapshot ?? "", later ?? ""],
    );
    return reply === 1;
  }

  async lineage(thread: string): Promise<Lineage> {
    const reply = await this.#redis
      .multi()
      .hmget(this.#keys.thread(thread), "root", "at")
      .lrange(this.#keys.lineage(thread), 0, -1)
      .exec();
    const [[, [root, at]], [, steps]] = lineageReply.parse(reply);
    return lineageOf(root, at, steps);
  }

  /** Threads that have a journal, those used last first. */
  async threads(most: number): Promise<{ threadKey: string; lastUsedMs: number }[]> {
    const reply = await this.#redis.zrevrange(this.#keys.threads, 0, most - 1, "WITHSCORES");
    return scored(reply).map(([threadKey, lastUsedMs]) => ({ threadKey, lastUsedMs }));
  }

  /** Forget a thread: its states and its journal. One that was used after `unusedSinceMs` stays. */
  async forget(
    thread: string,
    unusedSinceMs: number | "any",
  ): Promise<"forgotten" | "in use" | "unknown"> {
    const { mailbox, journal, lineage, threads, exposed, exposures } = this.#keys;
    const reply = await this.#forget.run(
      this.#redis,
      [
        this.#keys.thread(thread),
        mailbox(thread),
        journal(thread),
        lineage(thread),
        threads,
        exposed(thread),
        exposures,
      ],
      [thread, unusedSinceMs, SEEN_MS],
    );
    const code = z.number().parse(reply);
    return code === 1 ? "forgotten" : code === 0 ? "in use" : "unknown";
  }

  async release(started: StartedTurn): Promise<void> {
    await this.#release.run(this.#redis, [this.#keys.thread(started.threadKey)], [started.version]);
  }

  async stop(
    thread: string,
    userId: string,
    nowMs: number,
  ): Promise<"running" | "queued" | "nothing"> {
    const { mailbox, stops } = this.#keys;
    for (;;) {
      const reply = await this.#stop.run(
        this.#redis,
        [this.#keys.thread(thread), mailbox(thread)],
        [stops, thread, userId],
      );
      const [state, head] = stopReply.parse(reply);
      if (state !== "queued" || head === undefined) return state;
      // Between the two steps a worker may have started it: then there is a running turn to stop.
      if (await this.#withdrawn(parseTurn(head), userId, nowMs)) return "queued";
    }
  }

  async #withdrawn(turn: Turn, userId: string, nowMs: number): Promise<boolean> {
    const key = threadKey(turn.thread);
    const { thread, mailbox, waiting, journal, threads } = this.#keys;
    const entry = journalEntry(turn, WITHDRAWN, {
      startedAtMs: null,
      finishedAtMs: nowMs,
      workerId: null,
      attempt: 0,
      stoppedBy: userId,
    });
    const reply = await this.#withdraw.run(
      this.#redis,
      [thread(key), mailbox(key), waiting, journal(key), threads],
      [turn.id, key, JSON.stringify(entry), JOURNAL_ENTRIES, nowMs],
    );
    return reply === 1;
  }

  /** The newest entries of a thread's journal, the oldest of them first. */
  async journal(thread: string, count: number): Promise<JournalEntry[]> {
    const entries = await this.#redis.lrange(this.#keys.journal(thread), -count, -1);
    return entries.map((entry): JournalEntry => JSON.parse(entry));
  }

  /** Threads with turns in their mailbox, those that wait longest first. */
  async waiting(most: number): Promise<{ threadKey: string; sinceMs: number }[]> {
    const reply = await this.#redis.zrange(this.#keys.waiting, 0, String(most - 1), "WITHSCORES");
    return scored(reply).map(([threadKey, sinceMs]) => ({ threadKey, sinceMs }));
  }
}

const WITHDRAWN: TurnOutcome = {
  status: "canceled",
  exitCode: null,
  durationMs: 0,
  outputBytes: 0,
};

const submitReply = z.tuple([z.number(), z.number()]);
const beginReply = z.tuple([
  z.string(),
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
]);
const wakeReply = z.tuple([z.number(), z.string(), z.string()]);
const lineageReply = z.tuple([
  z.tuple([z.null(), z.tuple([z.string().nullable(), z.string().nullable()])]),
  z.tuple([z.null(), z.array(z.string())]),
]);
const stopReply = z.tuple([z.enum(["running", "queued", "nothing"]), z.string().optional()]);

/** Mailboxes and journals are written by this file alone: what comes back is what went in. */
function parseTurn(json: string): Turn {
  return JSON.parse(json);
}

function moveArgument(move: HeadMove | undefined, entry: JournalEntry): string {
  if (move?.kind === "fork") return move.threadKey;
  if (move?.kind !== "commit") return "";
  const step: LineageStep = {
    snapshot: move.snapshot,
    turnId: entry.turnId,
    userId: entry.userId,
    command: entry.command.slice(0, STEP_COMMAND_LENGTH),
    finishedAtMs: entry.finishedAtMs,
  };
  return JSON.stringify(step);
}

/** Members and scores, as a sorted set's range comes with WITHSCORES. */
function scored(reply: string[]): [member: string, score: number][] {
  return reply.flatMap((member, index): [string, number][] =>
    index % 2 === 0 ? [[member, Number(reply[index + 1])]] : [],
  );
}
