import { MachineError } from "./machine/api.ts";
import type { MachineSlot, SlotMachine } from "./machine-slot.ts";
import type { Snapshot, SnapshotStore, StoredSnapshot } from "./snapshots/store.ts";

export interface FoundSnapshot extends Snapshot {
  id: string;
}

/** Told which thread's sandbox the machine is in: of the next one only when the one before was left. */
export interface Occupancy {
  enters(threadKey: string, machine: SlotMachine): void;
  leaves(): void;
}

/** Switches the worker's machine from thread to thread: what is in it, and what stands in the store. */
export class Sandboxes {
  readonly #slot: MachineSlot;
  readonly #store: SnapshotStore;
  readonly #owner: string;
  readonly #occupancy: Occupancy | undefined;

  constructor(slot: MachineSlot, store: SnapshotStore, owner: string, occupancy?: Occupancy) {
    this.#occupancy = occupancy;
    this.#slot = slot;
    this.#store = store;
    this.#owner = owner;
  }

  /** The state with this id; `undefined` for the base. Throws `SnapshotError`. */
  async find(id: string | null): Promise<FoundSnapshot | undefined> {
    return id === null ? undefined : { ...(await this.#store.load(id)), id };
  }

  /**
   * The machine, in the thread's sandbox. A machine that died while it had nothing to do is replaced without
   * a word: nothing is lost by it. Throws `MachineError`, or the signal's reason when aborted.
   */
  async enter(
    threadKey: string,
    snapshot: FoundSnapshot | undefined,
    signal: AbortSignal,
  ): Promise<SlotMachine> {
    const machine = await untilAborted(this.#slot.machine(), signal);
    try {
      await this.#switch(machine, threadKey, snapshot);
      return machine;
    } catch (error) {
      if (!isMachineGone(error)) throw error;
      this.#slot.replace();
    }
    const successor = await untilAborted(this.#slot.machine(), signal);
    await this.#switch(successor, threadKey, snapshot);
    return successor;
  }

  /** Save the machine's sandbox as the thread's state after this turn. Throws `MachineError`. */
  async capture(
    machine: SlotMachine,
    turnId: string,
    from: FoundSnapshot | undefined,
  ): Promise<Snapshot> {
    const { base, data, blobs } = await machine.save();
    return { base, data, blobs, owner: this.#owner, parent: from?.id ?? null, turnId };
  }

  /**
   * Keep a snapshot, so that the thread's head may go there. Throws `SnapshotError`; the thread has its earlier
   * state then. The machine is in it from now on, whether the head goes there or not.
   */
  async keep(
    threadKey: string,
    snapshot: Snapshot,
    from: FoundSnapshot | undefined,
  ): Promise<StoredSnapshot> {
    const stored = await this.#store.save(snapshot, from);
    this.#slot.hold({ threadKey, snapshot: stored.id });
    return stored;
  }

  /** What is in the machine is not to be kept; after an error that broke the machine, nor is the machine. */
  drop(error: unknown): void {
    this.#occupancy?.leaves();
    if (isMachineGone(error)) this.#slot.replace();
    else this.#slot.hold(undefined);
  }

  async #switch(
    machine: SlotMachine,
    threadKey: string,
    snapshot: FoundSnapshot | undefined,
  ): Promise<void> {
    await this.#load(machine, threadKey, snapshot);
    this.#occupancy?.enters(threadKey, machine);
  }

  async #load(
    machine: SlotMachine,
    threadKey: string,
    snapshot: FoundSnapshot | undefined,
  ): Promise<void> {
    const { held } = this.#slot;
    // From now on the sandbox changes; only a snapshot makes it one to come back to.
    this.#slot.hold(undefined);
    // Another worker may have run turns of this thread since: the id tells. A fork is in the same state, but gets
    // it anew, so that it shares no randomness with the thread it came from.
    if (snapshot && held?.threadKey === threadKey && held.snapshot === snapshot.id) return;
    this.#occupancy?.leaves();
    if (snapshot) await machine.load(snapshot);
    else await machine.reset();
  }
}

function isMachineGone(error: unknown): boolean {
  return (
    error instanceof MachineError && (error.code === "MACHINE_DIED" || error.code === "GUEST_DIED")
  );
}

/** The promise goes on by itself: only for work that changes nothing. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
