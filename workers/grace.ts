import type { Logger } from "pino";
import type { ClosedTurn } from "../src/queue/index.ts";
import type { Clock } from "./clock.ts";
import type { MachineSlot, SlotMachine } from "./machine-slot.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** Keeps other workers from a thread that goes on here: `TurnTaker` has this shape. */
export interface ThreadHold {
  hold(closed: ClosedTurn, forMs: number): Promise<boolean>;
  letGo(closed: ClosedTurn, later?: string): Promise<boolean>;
}

export interface GraceOptions {
  slot: MachineSlot;
  sandboxes: Sandboxes;
  threads: ThreadHold;
  /** How long programs go on after their thread's turn. */
  graceMs: number;
  clock: Clock;
  log: Logger;
}

const LOOK_EVERY_MS = 2_000;
/** A worker that does not look for so long is gone, and others may go on from the turn's state. */
const HOLD_MS = 10_000;

interface Going {
  closed: ClosedTurn;
  untilMs: number;
  /** Programs have run since the turn: what they did has to be kept. */
  hasGoneOn: boolean;
}

/**
 * The time after a turn in which the programs that it left in the background go on, while nobody else needs the
 * machine. What they come to takes the place of the turn's state, so it is a part of the turn for undo and redo; a
 * worker that goes away in this time leaves the state that the turn had.
 */
export class Grace {
  readonly #options: GraceOptions;
  #isClosed = false;
  #going: Going | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** One step at a time. */
  #steps: Promise<void> = Promise.resolve();

  constructor(options: GraceOptions) {
    this.#options = options;
  }

  /** A turn is closed, and nothing waits. */
  begin(closed: ClosedTurn): void {
    const { graceMs, clock } = this.#options;
    if (graceMs === 0 || this.#isClosed) return;
    this.#going = { closed, untilMs: clock.now() + graceMs, hasGoneOn: false };
    this.#step(() => this.#look());
  }

  /** Another worker has a turn for this thread. */
  wanted(threadKey: string): void {
    if (this.#going?.closed.threadKey === threadKey) void this.end();
  }

  /** The machine is needed: keep what the programs came to, and let the thread go. Never throws. */
  end(): Promise<void> {
    clearTimeout(this.#timer);
    return this.#step(() => this.#finish());
  }

  close(): Promise<void> {
    this.#isClosed = true;
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

  async #look(): Promise<void> {
    const going = this.#going;
    if (!going) return;
    const { threads, clock } = this.#options;
    const { closed } = going;
    const programs = await (await this.#machineIn(closed)).linger();
    if (programs === 0 || clock.now() >= going.untilMs) return this.#finish();
    going.hasGoneOn = true;
    if (!(await threads.hold(closed, HOLD_MS))) {
      throw new Error("another worker has started a turn of the thread");
    }
    const nextMs = Math.min(LOOK_EVERY_MS, going.untilMs - clock.now());
    this.#timer = setTimeout(() => void this.#step(() => this.#look()), nextMs);
  }

  async #finish(): Promise<void> {
    const going = this.#going;
    this.#going = undefined;
    if (!going?.hasGoneOn) return;
    const { sandboxes, threads, log } = this.#options;
    const { turn, threadKey, snapshot } = going.closed;
    try {
      const from = await sandboxes.find(snapshot);
      const captured = await sandboxes.capture(await this.#machineIn(going.closed), turn.id, from);
      const { id } = await sandboxes.keep(threadKey, captured, from);
      if (!(await threads.letGo(going.closed, id))) {
        throw new Error("another worker has started a turn of the thread");
      }
      log.debug({ thread: threadKey }, "a thread's programs sleep");
    } catch (error) {
      await threads.letGo(going.closed).catch(() => {
        // The hold ends by itself.
      });
      throw error;
    }
  }

  /** The machine, which must still be in the thread's sandbox: one that died has a successor that is not. */
  async #machineIn({ threadKey, snapshot }: ClosedTurn): Promise<SlotMachine> {
    const { slot } = this.#options;
    const machine = await slot.machine();
    if (slot.held?.threadKey !== threadKey || slot.held.snapshot !== snapshot) {
      throw new Error("the machine is not in the thread's sandbox any more");
    }
    return machine;
  }
}
