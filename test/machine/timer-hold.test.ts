import { expect, test } from "vitest";
import { TimerHold } from "../../workers/machine/timer-hold.ts";

function world() {
  const ran: number[] = [];
  let nowMs = 100;
  const cpu = {
    in_hlt: Uint8Array.of(1),
    run_hardware_timers(_isAcpiEnabled: boolean, atMs: number) {
      ran.push(atMs);
      return 4;
    },
  };
  const hold = new TimerHold(cpu, () => nowMs);
  return {
    ran,
    hold,
    /** Whether the guest has nothing to do but to wait. */
    set isWaiting(isWaiting: boolean) {
      cpu.in_hlt[0] = Number(isWaiting);
    },
    /** What v86's main loop is told: how long nothing is to be done. */
    timers: (atMs: number) => {
      nowMs = atMs;
      return cpu.run_hardware_timers(false, atMs);
    },
  };
}

test("timers wait until the hold is over, and v86 is told how long", () => {
  const { ran, hold, timers } = world();
  hold.begin();
  expect([timers(101), timers(102.5)]).toEqual([2, 0.5]);
  expect(ran).toEqual([]);
  expect(timers(103)).toBe(4);
  expect(ran).toEqual([103]);
});

test("the end of a turn ends its hold", () => {
  const { hold, timers } = world();
  hold.begin();
  hold.end();
  expect(timers(101)).toBe(4);
});

test("turns that follow each other closely do not stop the timers", () => {
  const { ran, hold, timers } = world();
  for (let atMs = 101; atMs < 201; atMs++) {
    hold.begin();
    timers(atMs);
    if (atMs % 3 === 0) hold.end();
  }
  expect(ran.length).toBeGreaterThan(70);
});

test("a guest that computes has its timers run every 12 ms, and one that waits when they are due", () => {
  const guest = world();
  guest.isWaiting = false;
  for (let atMs = 101; atMs <= 160; atMs++) guest.timers(atMs);
  expect(guest.ran).toEqual([101, 113, 125, 137, 149]);
  expect(guest.timers(160)).toBe(1);

  guest.isWaiting = true;
  expect(guest.timers(160)).toBe(4);
  expect(guest.timers(160.5)).toBe(4);
  expect(guest.ran.slice(5)).toEqual([160, 160.5]);
});

test("of another guest nothing is held for what came before", () => {
  const guest = world();
  guest.isWaiting = false;
  guest.timers(101);
  guest.hold.begin();
  guest.hold.reset();
  guest.timers(102);
  expect(guest.ran).toEqual([101, 102]);
});
