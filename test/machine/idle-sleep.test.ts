import { expect, test } from "vitest";
import { sleepWhileHalted } from "../../workers/machine/idle-sleep.ts";

/** A guest that runs so many instructions a millisecond, with a timer that is due in `leftMs`. */
function world() {
  const counter = new Uint32Array([2 ** 32 - 950_000]);
  let nowMs = 1_000;
  const timer = { leftMs: 3.2, isAcpiEnabled: false };
  const cpu = {
    instruction_counter: new Int32Array(counter.buffer),
    run_hardware_timers(isAcpiEnabled: boolean, atMs: number) {
      expect(atMs).toBe(nowMs);
      timer.isAcpiEnabled = isAcpiEnabled;
      return timer.leftMs;
    },
  };
  sleepWhileHalted(cpu);
  const ask = (leftMs: number) => {
    timer.leftMs = leftMs;
    return cpu.run_hardware_timers(true, nowMs);
  };
  return {
    timer,
    ask,
    pass: (ms: number, instructionsPerMs: number) => {
      for (let passed = 0; passed < ms; passed++) {
        nowMs += 1;
        counter[0] = (counter[0] ?? 0) + instructionsPerMs;
        ask(1);
      }
    },
  };
}

test("with an idle guest whole milliseconds are slept, and moments are kept to the point", () => {
  const { ask, pass, timer } = world();
  pass(10, 2_000);
  expect([3.2, 0.9, 0.3, 4].map(ask)).toEqual([4, 1, 1, 4]);
  expect([0.15, 0, -2].map(ask)).toEqual([0.15, 0, -2]);
  expect(timer.isAcpiEnabled).toBe(true);
});

test("a guest that is busy, or was a moment ago, is left as it is", () => {
  const { ask, pass } = world();
  // The counter begins anew just before it is looked at last.
  pass(13, 100_000);
  expect([3.2, 0.9].map(ask)).toEqual([3.2, 0.9]);
  pass(1, 0);
  expect(ask(0.9)).toBe(0.9);
  pass(8, 0);
  expect(ask(0.9)).toBe(1);
  pass(8, 100_000);
  expect(ask(0.9)).toBe(0.9);
});
