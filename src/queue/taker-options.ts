import type { CarrierAddress } from "./carriage.ts";
import type { Lineage, Position } from "./lineage.ts";
import type { Log } from "./log.ts";
import type { ThreadState } from "./mailbox.ts";
import type { TurnOutcome } from "./outcome.ts";
import type { Turn } from "./turn.ts";

export interface TurnContext {
  /** Aborted when the turn must end before its time; its `reason` is a `TurnAborted`. May be aborted already. */
  signal: AbortSignal;
  /** 1 for the first time; more when a worker went away in the middle of this turn. */
  attempt: number;
  /** Where the thread stands: the state that the turn starts from, and its neighbours. */
  position: Position;
  /** The thread's states, for showing them. */
  lineage(): Promise<Lineage>;
  /** Throws the signal's reason when another worker has taken the turn: before what cannot be taken back. */
  confirm(): Promise<void>;
}

export interface TurnTakerOptions {
  redisUrl: string;
  prefix: string;
  /** Unique among the workers that are alive. */
  workerId: string;
  log: Log;
  /**
   * Run a turn to its end. What it returns closes the turn for good, so whatever must outlive the turn is
   * durable by then. When it throws, the turn is started again a second later, here or elsewhere.
   */
  handle(turn: Turn, context: TurnContext): Promise<TurnOutcome>;
  /** Tell the thread that a turn was started `attempts` times, never came to an end, and is given up. */
  abandon(turn: Turn, attempts: number, context: TurnContext): Promise<void>;
  /** Called before a turn of this thread is started here: what is held of another turn has to be let go by then. */
  beforeTurn?(threadKey: string): Promise<void>;
  /** A turn was closed, its thread has a new state, and no other turn of it waits. */
  afterTurn?(closed: ThreadState): void;
  /** No turn runs here any more, for now. */
  afterDrain?(): void;
  /** Without it, this worker wakes no threads. */
  waking?: Waking;
  /** Another worker has a turn for a thread that this one may hold. */
  onWanted?(threadKey: string): void;
  /** Turns at a time; a worker with one machine has one. */
  concurrency?: number;
  timing?: Partial<TakerTiming>;
  now?: () => number;
}

/** Threads that sleep are woken for those who use their ports. */
export interface Waking {
  /** Where the proxy reaches this worker. */
  carrier: CarrierAddress;
  /** Whether the machine may leave now what goes on in it. */
  mayWake(threadKey: string): boolean;
  /** Let the thread's programs go on, until `beforeTurn`. Held by this worker, for a while. */
  wake(thread: ThreadState): Promise<void>;
}

/** All in milliseconds. */
export interface TakerTiming {
  /** A worker that does not renew its job's lock for so long has lost the job. */
  lock: number;
  /** How often the workers look for lost jobs. */
  stalledCheck: number;
  /** How often a running turn is checked for a stop, and for another worker that has it. */
  watch: number;
  heartbeat: number;
  /** How often mailboxes with turns get their bell rung, should it have been missed. */
  sweep: number;
  /** A thread with more turns goes to the back of the queue after so long, so that others have their turn. */
  slice: number;
  /** Time for a handler to come to its end after its signal was aborted by `close`. */
  closeGrace: number;
}

export const TIMING: TakerTiming = {
  lock: 6_000,
  stalledCheck: 3_000,
  watch: 2_000,
  heartbeat: 5_000,
  sweep: 10_000,
  slice: 10_000,
  closeGrace: 3_000,
};
