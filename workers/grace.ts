import type { Logger } from "pino";
import type { ThreadState } from "../src/queue/index.ts";
import type { Clock } from "./clock.ts";
import type { MachineSlot, SlotMachine } from "./machine-slot.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** Keeps other workers from a thread that goes on here: `TurnTaker` has this shape. */
export interface ThreadHold {
  hold(thread: ThreadState, forMs: number): Promise<boolean>;
  letGo(thread: ThreadState, later?: string): Promise<boolean>;
}

/** Those who use ports of the thread in the machine: `Carrier` has this shape. */
export interface PortUse {
  /** When the last byte was carried, of the thread that is in the machine now; 0 before. */
  readonly lastUsedMs: number;
  /** Its programs do not run any more: end what is open. */
  sleep(): void;
  /** So many of its programs go on. */
  goesOn(programs: number): void;
}

export interface GraceOptions {
  slot: MachineSlot;
  sandboxes: Sandboxes;
  threads: ThreadHold;
  ports?: PortUse | undefined;
  /** How long programs go on after their thread's turn. */
  graceMs: number;
  clock: Clock;
  log: Logger;
}

/** A command that follows at once finds the machine free. */
const FIRST_LOOK_MS = 100;
const LOOK_EVERY_MS = 2_000;
/** A worker that does not look for so long is gone, and others may go on from the turn's state. */
const HOLD_MS = 10_000;
/** Whoever uses a port finds the programs going on for so long after the last byte, whatever the grace time. */
const LEAST_USE_MS = 10_000;
/** What they came to is saved after so long, however busy they are. */
const MOST_MS = 15 * 60_000;
/** A thread that is being used has the machine for so long before another is woken in its place. */
const SLICE_MS = 5_000;
const IN_USE_MS = 2_000;
/** Those who had a thread woken that has no programs are told so. */
const SILENT_MS = 3_000;

interface Going {
  thread: ThreadState;
  startedAtMs: number;
  /** 0 where it goes on after a turn. */
  wokenAtMs: number;
  untilMs: number;
  /** Programs have run since the turn: what they did has to be kept. */
  hasGoneOn: boolean;
  /** Other workers wait for it to be let go. */
  isHeld: boolean;
}

/**
 * The time after a turn in which the programs that it left in the background go on, while nobody else needs the
 * machine; and after that whenever the thread is woken for those who use its ports. What they come to takes the place of
 * the turn's state, so it is a part of the turn for undo and redo; a worker that goes away in this time leaves the state
 * that the turn had.
 */
export class Grace {
  readonly #options: GraceOptions;
  readonly #closing = new AbortController();
  #going: Going | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** One step at a time. */
  #steps: Promise<void> = Promise.resolve();

  constructor(options: GraceOptions) {
    this.#options = options;
  }

  get isGoing(): boolean {
    return this.#going !== undefined;
  }

  /** A turn is closed, and nothing waits. */
  begin(thread: ThreadState): void {
    const { graceMs, clock, ports } = this.#options;
    if (graceMs === 0 || this.#closing.signal.aborted) return;
    const startedAtMs = clock.now();
    const untilMs = startedAtMs + graceMs;
    this.#going = {
      thread,
      startedAtMs,
      wokenAtMs: 0,
      untilMs,
      hasGoneOn: false,
      isHeld: false,
    };
    // Before another worker wakes it for those who use its ports.
    if (ports) void this.#step(() => this.#holdAtOnce());
    this.#lookIn(FIRST_LOOK_MS);
  }

  /** Whether the machine may leave what goes on in it, for a thread whose ports somebody wants to use. */
  mayWake(threadKey: string): boolean {
    if (!this.#going) return true;
    const { thread, startedAtMs, wokenAtMs } = this.#going;
    if (thread.threadKey === threadKey) return false;
    const nowMs = this.#options.clock.now();
    // Those who had it woken are about to use it.
    const lastUsedMs = Math.max(this.#options.ports?.lastUsedMs ?? 0, wokenAtMs);
    return nowMs - lastUsedMs > IN_USE_MS || nowMs - startedAtMs > SLICE_MS;
  }

  /** Let the programs of a thread go on that sleeps. Nothing goes on here, and the thread is held. */
  async wake(thread: ThreadState): Promise<void> {
    const woken = this.#steps.then(() => this.#enter(thread));
    this.#steps = woken.catch(() => {
      // Whoever asked is told.
    });
    return woken;
  }

  /** Another worker has a turn for this thread. */
  wanted(threadKey: string): void {
    if (this.#going?.thread.threadKey === threadKey) void this.end();
  }

  /**
   * The machine is needed, by a turn of the thread that comes next or by nobody that is known: keep what the programs came to,
   * and let the thread go. Never throws.
   */
  end(nextThreadKey?: string): Promise<void> {
    clearTimeout(this.#timer);
    return this.#step(() => this.#finish(nextThreadKey));
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.end();
  }

  #step(step: () => Promise<void>): Promise<void> {
    this.#steps = this.#steps.then(step).catch((err: unknown) => {
      this.#going = undefined;
      this.#options.sandboxes.drop(err);
      this.#options.log.warn({ err }, "what a thread's programs did after its turn is not kept");
    });
    return this.#steps;
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#step(() => this.#look()), ms);
  }

  async #enter(thread: ThreadState): Promise<void> {
    const { slot, sandboxes, threads, ports, clock, graceMs, log } = this.#options;
    const { threadKey, snapshot } = thread;
    try {
      const found = await sandboxes.find(snapshot);
      const machine = await sandboxes.enter(threadKey, found, this.#closing.signal);
      slot.hold({ threadKey, snapshot });
      // Not before it is known to have any: a connection to a machine that stands still would wait for good.
      ports?.sleep();
      const programs = await machine.linger();
      if (!(await threads.hold(thread, HOLD_MS))) throw new Error(LOST);
      const startedAtMs = clock.now();
      const untilMs = startedAtMs + Math.max(graceMs, LEAST_USE_MS);
      this.#going = {
        thread,
        startedAtMs,
        wokenAtMs: startedAtMs,
        untilMs,
        hasGoneOn: programs > 0,
        isHeld: true,
      };
      ports?.goesOn(programs);
      this.#lookIn(programs === 0 ? SILENT_MS : LOOK_EVERY_MS);
      log.info({ thread: threadKey, programs }, "a thread was woken for those who use its ports");
    } catch (error) {
      sandboxes.drop(error);
      throw error;
    }
  }

  async #holdAtOnce(): Promise<void> {
    const going = this.#going;
    if (!going) return;
    going.isHeld = await this.#options.threads.hold(going.thread, HOLD_MS);
    if (going.isHeld) return;
    // Its next turn has begun elsewhere, and nothing has been done here.
    this.#going = undefined;
    this.#options.ports?.sleep();
  }

  async #look(): Promise<void> {
    const going = this.#going;
    if (!going) return;
    const { threads, ports, clock, graceMs } = this.#options;
    const { thread, startedAtMs } = going;
    const programs = await (await this.#machineIn(thread)).linger();
    const usedUntilMs = (ports?.lastUsedMs ?? 0) + Math.max(graceMs, LEAST_USE_MS);
    const untilMs = Math.min(Math.max(going.untilMs, usedUntilMs), startedAtMs + MOST_MS);
    if (programs === 0 || clock.now() >= untilMs) return this.#finish();
    going.hasGoneOn = true;
    going.isHeld = true;
    if (!(await threads.hold(thread, HOLD_MS))) throw new Error(LOST);
    this.#lookIn(Math.min(LOOK_EVERY_MS, untilMs - clock.now()));
  }

  async #finish(nextThreadKey?: string): Promise<void> {
    const going = this.#going;
    this.#going = undefined;
    if (!going) return;
    const { sandboxes, threads, ports, log } = this.#options;
    const { threadKey, snapshot, turnId } = going.thread;
    // Those who use its ports go on with a turn of its own.
    if (nextThreadKey !== threadKey) ports?.sleep();
    if (!going.hasGoneOn) {
      if (going.isHeld) await threads.letGo(going.thread);
      return;
    }
    try {
      const from = await sandboxes.find(snapshot);
      const captured = await sandboxes.capture(await this.#machineIn(going.thread), turnId, from);
      const { id } = await sandboxes.keep(threadKey, captured, from);
      if (!(await threads.letGo(going.thread, id))) throw new Error(LOST);
      log.debug({ thread: threadKey }, "a thread's programs sleep");
    } catch (error) {
      await threads.letGo(going.thread).catch(() => {
        // The hold ends by itself.
      });
      throw error;
    }
  }

  /** The machine, which must still be in the thread's sandbox: one that died has a successor that is not. */
  async #machineIn({ threadKey, snapshot }: ThreadState): Promise<SlotMachine> {
    const { slot } = this.#options;
    const machine = await slot.machine();
    if (slot.held?.threadKey !== threadKey || slot.held.snapshot !== snapshot) {
      throw new Error("the machine is not in the thread's sandbox any more");
    }
    return machine;
  }
}

const LOST = "another worker has started a turn of the thread";
