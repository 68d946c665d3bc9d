import type { Cpu } from "./v86-internals.ts";

/** A tick of the guest's comes every 4 ms and is 18,000 instructions, a fifth of a short turn. */
const HOLD_MS = 3;
/** Turns that follow each other closely must not stop the guest's clockwork. */
const BETWEEN_HOLDS_MS = 12;
/**
 * A guest that computes has its timers run so often: its kernel counts by its clock how many ticks one that is late stands for. With 4 ms,
 * as they are due, the same takes 6 to 8 % longer (docs/performance.md).
 */
const BUSY_MS = 12;

/**
 * Has the guest's timers wait until a short turn is over, a few milliseconds at most, and come rarely while it computes: as if
 * the host had been busy, which every guest must bear. Its clock is the time stamp counter, which goes on, and v86's timers count
 * by the time that has passed, so that nothing is lost, only late. One that waits for a timer has it in time.
 */
export class TimerHold {
  readonly #nowMs: () => number;
  #untilMs = 0;
  #nextMs = 0;
  #ranAtMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs the clock that v86 tells its timers (src/main.js `microtick`). */
  constructor(cpu: Pick<Cpu, "run_hardware_timers" | "in_hlt">, nowMs = () => performance.now()) {
    this.#nowMs = nowMs;
    const runTimers = cpu.run_hardware_timers.bind(cpu);
    cpu.run_hardware_timers = (isAcpiEnabled, atMs) => {
      const isWaiting = cpu.in_hlt[0] !== 0;
      const untilMs = isWaiting ? this.#untilMs : Math.max(this.#untilMs, this.#ranAtMs + BUSY_MS);
      if (atMs < untilMs) return untilMs - atMs;
      this.#ranAtMs = atMs;
      return runTimers(isAcpiEnabled, atMs);
    };
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

  /** For another guest than the one whose timers were run last: what is due in it comes at once. */
  reset(): void {
    this.#untilMs = 0;
    this.#ranAtMs = Number.NEGATIVE_INFINITY;
  }
}
