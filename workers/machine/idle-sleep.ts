import type { Cpu } from "./v86-internals.ts";

/** What programs that sleep for a moment get to the point; Linux itself is up to 0.05 ms late. */
const TO_THE_POINT_MS = 0.2;
/** A guest with nothing to do runs 2,000 instructions a millisecond, for its ticks; one that waits for its network, 100,000. */
const IDLE_PER_MS = 10_000;
const LOOK_AFTER_MS = 4;

/**
 * Has the process sleep while the guest's processor is halted. v86 asks its timers how many milliseconds are left until one
 * is due, and when it is less than one, goes round Node's event loop without a pause. The guest's clock ticks every 4 ms,
 * also when it has nothing to do (its kernel is built so), so that a turn that only waits took a quarter of a core. Whole
 * milliseconds are slept instead: a timer comes up to one too late, as on a host that is busy. A guest that has been busy
 * a moment ago is left as it is: what it waits for is about to come, and waking up would take longer.
 */
export function sleepWhileHalted(
  cpu: Pick<Cpu, "run_hardware_timers" | "instruction_counter">,
): void {
  const runTimers = cpu.run_hardware_timers.bind(cpu);
  let lookedMs = 0;
  let instructions = 0;
  let isBusy = true;
  const look = (nowMs: number) => {
    const now = (cpu.instruction_counter[0] ?? 0) >>> 0;
    isBusy = (now - instructions) >>> 0 > (nowMs - lookedMs) * IDLE_PER_MS;
    lookedMs = nowMs;
    instructions = now;
  };
  cpu.run_hardware_timers = (isAcpiEnabled, nowMs) => {
    if (nowMs - lookedMs >= LOOK_AFTER_MS) look(nowMs);
    const leftMs = runTimers(isAcpiEnabled, nowMs);
    return isBusy || leftMs < TO_THE_POINT_MS ? leftMs : Math.ceil(leftMs);
  };
}
