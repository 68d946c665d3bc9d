import { describe, expect, test } from "vitest";
import { type Timer, Timers } from "../../relay/timers.ts";
import { integersFrom } from "../support/random.ts";
import { SimHost } from "./support/sim-host.ts";

const STEPS = 4_000;

function scene() {
  const host = new SimHost();
  return { host, timers: new Timers(host) };
}

describe("timers of the relay", () => {
  test.each([1, 2, 3, 4, 5])(
    "fire when they are due, each once, whatever was set and stopped in between (seed %i)",
    (seed) => {
      const random = integersFrom(seed);
      const { host, timers } = scene();
      const deadlines = new Map<number, number>();
      const fired: string[] = [];
      const all: Timer[] = Array.from({ length: 60 }, (_, index) =>
        timers.create(() => {
          fired.push(`${index} at ${timers.nowMs()}`);
          expect(deadlines.get(index), `timer ${index}`).toBe(timers.nowMs());
          deadlines.delete(index);
        }),
      );
      for (let step = 0; step < STEPS; step++) {
        const index = random(all.length);
        const timer = all[index];
        if (timer === undefined) continue;
        const what = random(10);
        if (what < 5) {
          const delayMs = random(300);
          timer.set(delayMs);
          deadlines.set(index, timers.nowMs() + delayMs);
        } else if (what < 8) {
          timer.stop();
          deadlines.delete(index);
        } else host.advance(random(60));
        const wrong = all.findIndex(({ isSet }, at) => isSet !== deadlines.has(at));
        expect(wrong, `after step ${step}`).toBe(-1);
      }
      host.advance(300);
      expect(deadlines.size).toBe(0);
      expect(fired.length).toBeGreaterThan(STEPS / 10);
      expect(host.timerCount).toBe(0);
    },
  );

  test("that are due together do not fire when the first of them stops the second", () => {
    const { host, timers } = scene();
    const fired: string[] = [];
    const second = timers.create(() => fired.push("second"));
    const first = timers.create(() => {
      fired.push("first");
      expect(second.isSet).toBe(true);
      second.stop();
      expect(second.isSet).toBe(false);
    });
    first.set(9);
    second.set(10);
    host.timeMs = 20;
    host.advance(0);
    expect(fired).toEqual(["first"]);
  });

  test("that are set anew while they are due wait for their new time", () => {
    const { host, timers } = scene();
    const fired: number[] = [];
    const second = timers.create(() => fired.push(timers.nowMs()));
    timers.create(() => second.set(5)).set(9);
    second.set(10);
    host.timeMs = 20;
    host.advance(0);
    expect(fired).toEqual([]);
    host.advance(5);
    expect(fired).toEqual([25]);
  });

  test("that set themselves again at once let the host go on in between", () => {
    const { host, timers } = scene();
    let count = 0;
    const timer = timers.create(() => {
      if (++count < 3) timer.set(0);
    });
    timer.set(1);
    host.advance(1);
    expect(count).toBe(3);
  });

  test("do not fire any more once all are forgotten, even by one of them", () => {
    const { host, timers } = scene();
    const fired: string[] = [];
    const second = timers.create(() => fired.push("second"));
    timers.create(() => timers.clear()).set(9);
    second.set(10);
    timers.create(() => fired.push("third")).set(50);
    host.timeMs = 20;
    host.advance(100);
    expect(fired).toEqual([]);
    expect(host.timerCount).toBe(0);
  });

  test("leave the host without one when the last of them is stopped", () => {
    const { host, timers } = scene();
    const timer = timers.create(() => {});
    timer.set(100);
    expect(host.timerCount).toBe(1);
    timer.stop();
    expect(host.timerCount).toBe(0);
  });

  test("stand still while the guest is paused", () => {
    const { host, timers } = scene();
    const fired: number[] = [];
    timers.create(() => fired.push(host.timeMs)).set(100);
    host.advance(60);
    timers.pause();
    host.advance(1_000);
    timers.resume();
    host.advance(39);
    expect(fired).toEqual([]);
    host.advance(1);
    expect(fired).toEqual([1_100]);
  });
});
