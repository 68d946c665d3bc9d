import type { MachineEvent, PingOutcome } from "./messages.ts";

/** Longer than the parent's `ping` waits. */
const GIVE_UP_MS = 8_000;

/** Pings to the outside, in the machine's process: the parent is asked for them. */
export class AskedPings {
  readonly #tell: (event: MachineEvent) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<boolean>>();
  #nextId = 1;

  constructor(tell: (event: MachineEvent) => void) {
    this.#tell = tell;
  }

  /** Whether the address answers. Rejects where it may not be asked, or cannot. */
  async ask(address: string): Promise<boolean> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<boolean>();
    this.#waiting.set(id, answer);
    const timer = setTimeout(() => answer.resolve(false), GIVE_UP_MS);
    timer.unref();
    this.#tell({ event: "ping", id, address });
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  answer(id: number, outcome: PingOutcome): void {
    const waiting = this.#waiting.get(id);
    if (outcome === "refused") waiting?.reject(new Error("the host sends no such ping"));
    else waiting?.resolve(outcome === "answered");
  }
}
