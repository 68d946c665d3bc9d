import type { Cpu } from "./v86-internals.ts";

/** A tick of the guest's comes every 4 ms and is 18,000 instructions, a fifth of a short turn. */
const HOLD_MS = 3;
/** Turns that follow each other closely must not stop the guest's clockwork. */
const BETWEEN_HOLDS_MS = 12;

/**
 * Has the guest's timers wait until a short turn is over, a few milliseconds at most: as if the host had been busy, which
 * every guest must bear. Its clock is the time stamp counter, which goes on, and v86's timers count by the time that has
 * passed, so that nothing is lost, only late.
 */
export class TimerHold {
  readonly #nowMs: () => number;
  #untilMs = 0;
  #nextMs = 0;

  /** @param nowMs the clock that v86 tells its timers (src/main.js `microtick`). */
  constructor(cpu: Pick<Cpu, "run_hardware_timers">, nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
    const runTimers = cpu.run_hardware_timers.bind(cpu);
    cpu.run_hardware_timers = (isAcpiEnabled, atMs) =>
      atMs < this.#untilMs ? this.#untilMs - atMs : runTimers(isAcpiEnabled, atMs);
  }

  begin(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#nextMs) return;
    this.#untilMs = nowMs + HOLD_MS;
    this.#nextMs = nowMs + BETWEEN_HOLDS_MS;
  }

  end(): void {
    this.#untilMs = 0;
  }
}
