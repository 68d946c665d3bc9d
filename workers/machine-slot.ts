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
  /** Id of the snapshot; `null` for the base. */
  snapshot: string | null;
}

export interface MachineSlotOptions {
  startMachine: () => Promise<SlotMachine>;
  /** Run by a machine that has just started, until somebody asks for it. */
  warmUp?: (machine: SlotMachine, signal: AbortSignal) => Promise<void>;
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
  #warmUp: { end: AbortController; ended: Promise<void> } | undefined;

  constructor(options: MachineSlotOptions) {
    this.#options = options;
  }

  /** The machine, started if need be. Throws what starting it throws. */
  async machine(): Promise<SlotMachine> {
    const machine = await this.#cold();
    if (!machine.isDead) return machine;
    this.replace();
    return this.#cold();
  }

  /** Start the machine if need be, and warm it up for as long as nobody asks for it. Nobody is told of errors. */
  async warmUp(): Promise<void> {
    const { warmUp, clock, log } = this.#options;
    if (warmUp === undefined || this.#warmUp !== undefined) return;
    const end = new AbortController();
    const run = async (): Promise<void> => {
      try {
        const machine = await this.#ready();
        if (end.signal.aborted) return;
        this.#held = undefined;
        const startedAtMs = clock.now();
        await warmUp(machine, end.signal);
        const isWhole = !end.signal.aborted;
        log.info({ tookMs: clock.now() - startedAtMs, isWhole }, "the warm-up has ended");
      } catch (err) {
        // A machine that died of it is replaced when it is asked for; one that did not start has been logged.
        log.debug({ err }, "the machine could not be warmed up");
      }
    };
    this.#warmUp = { end, ended: run() };
    await this.#warmUp.ended;
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
    this.#warmUp?.end.abort();
    await this.#stop(this.#machine);
  }

  /** The machine, and nothing that warms it up. */
  async #cold(): Promise<SlotMachine> {
    const running = this.#warmUp;
    running?.end.abort();
    const machine = await this.#ready();
    await running?.ended;
    if (this.#warmUp === running) this.#warmUp = undefined;
    return machine;
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
    void this.warmUp();
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
