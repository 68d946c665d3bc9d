import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import type { MachineApi } from "./machine/api.ts";

/** A machine that can be asked whether it is still of use. */
export interface SlotMachine extends MachineApi {
  /** Every call fails from now on. */
  readonly isDead: boolean;
}

/** Which sandbox a machine is in: a thread's, in one of its states. */
export interface Held {
  threadKey: string;
  /** Id of the snapshot. */
  snapshot: string;
}

export interface MachineSlotOptions {
  startMachine: () => Promise<SlotMachine>;
  clock: Clock;
  log: Logger;
}

const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

/**
 * The place of a worker's one machine. When a machine has died its successor is started at once, so that the
 * next turn finds it ready; when starting fails, it is tried again ever less often, and whenever a turn asks.
 */
export class MachineSlot {
  readonly #options: MachineSlotOptions;
  #isClosing = false;
  #machine: Promise<SlotMachine> | undefined;
  #failedStarts = 0;
  /** The wait before the next try: there is one at a time. */
  #backoff = new AbortController();
  #held: Held | undefined;

  constructor(options: MachineSlotOptions) {
    this.#options = options;
  }

  /** The machine, started if need be. Throws what starting it throws. */
  async machine(): Promise<SlotMachine> {
    const machine = await this.#ready();
    if (!machine.isDead) return machine;
    this.replace();
    return this.#ready();
  }

  /** The sandbox that the machine is in, so that it need not be loaded again. */
  get held(): Held | undefined {
    return this.#held;
  }

  /** Note the sandbox that the machine is in now; `undefined` when what is in it must not be used again. */
  hold(held: Held | undefined): void {
    this.#held = held;
  }

  /** This machine is broken: end it and start another. */
  replace(): void {
    const broken = this.#machine;
    this.#held = undefined;
    this.#machine = undefined;
    void this.#stop(broken);
    this.#prestart();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#backoff.abort();
    this.#held = undefined;
    await this.#stop(this.#machine);
  }

  #ready(): Promise<SlotMachine> {
    this.#machine ??= this.#start();
    return this.#machine;
  }

  async #start(): Promise<SlotMachine> {
    const { clock, log, startMachine } = this.#options;
    const startedAtMs = clock.now();
    try {
      const machine = await startMachine();
      this.#failedStarts = 0;
      log.info({ tookMs: clock.now() - startedAtMs }, "the machine is ready");
      return machine;
    } catch (error) {
      this.#machine = undefined;
      this.#failedStarts++;
      log.error({ err: error, failedStarts: this.#failedStarts }, "the machine did not start");
      this.#prestartLater();
      throw error;
    }
  }

  #prestart(): void {
    if (this.#isClosing) return;
    // Whoever asks for the machine gets the error; here it has been logged.
    this.#ready().catch(() => {});
  }

  #prestartLater(): void {
    if (this.#isClosing) return;
    const delayMs = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failedStarts - 1), MAX_BACKOFF_MS);
    this.#backoff.abort();
    this.#backoff = new AbortController();
    const { signal } = this.#backoff;
    void this.#options.clock.sleep(delayMs, signal).then(() => {
      if (!signal.aborted) this.#prestart();
    });
  }

  async #stop(machine: Promise<SlotMachine> | undefined): Promise<void> {
    try {
      await (await machine)?.stop();
    } catch (err) {
      this.#options.log.debug({ err }, "a machine ended badly");
    }
  }
}
