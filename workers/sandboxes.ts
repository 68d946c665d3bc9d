import { MachineError } from "./machine/api.ts";
import type { MachineSlot, SlotMachine } from "./machine-slot.ts";
import type { Snapshot, SnapshotStore } from "./snapshots/store.ts";

/** Switches the worker's machine from thread to thread: what is in it, and what stands in the store. */
export class Sandboxes {
  readonly #slot: MachineSlot;
  readonly #store: SnapshotStore;

  constructor(slot: MachineSlot, store: SnapshotStore) {
    this.#slot = slot;
    this.#store = store;
  }

  /** The thread's last snapshot; `undefined` for a new thread. Throws `SnapshotError`. */
  find(threadKey: string): Promise<Snapshot | undefined> {
    return this.#store.load(threadKey);
  }

  /**
   * The machine, in the thread's sandbox. A machine that died while it had nothing to do is replaced without
   * a word: nothing is lost by it. Throws `MachineError`, or the signal's reason when aborted.
   */
  async enter(
    threadKey: string,
    snapshot: Snapshot | undefined,
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
  async capture(machine: SlotMachine, turnId: string): Promise<Snapshot> {
    const { base, data } = await machine.save();
    return { base, data, turnId };
  }

  /**
   * Make a snapshot the thread's state, in place of the one it was made from. Throws `SnapshotError`; the
   * thread has its earlier state then.
   */
  async commit(threadKey: string, snapshot: Snapshot, from: Snapshot | undefined): Promise<void> {
    await this.#store.save(threadKey, snapshot, from?.turnId);
    this.#slot.hold({ threadKey, turnId: snapshot.turnId });
  }

  /** What is in the machine is not to be kept; after an error that broke the machine, nor is the machine. */
  drop(error: unknown): void {
    if (isMachineGone(error)) this.#slot.replace();
    else this.#slot.hold(undefined);
  }

  async #switch(
    machine: SlotMachine,
    threadKey: string,
    snapshot: Snapshot | undefined,
  ): Promise<void> {
    const { held } = this.#slot;
    // From now on the sandbox changes; only a commit makes it one to come back to.
    this.#slot.hold(undefined);
    if (!snapshot) return machine.reset();
    // Another worker may have run turns of this thread since: the turn tells.
    if (held?.threadKey === threadKey && held.turnId === snapshot.turnId) return;
    await machine.load(snapshot);
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
