import { pino } from "pino";
import { expect, test } from "vitest";
import type { Clock } from "../../workers/clock.ts";
import { MachineError } from "../../workers/machine/api.ts";
import { MachineSlot, type SlotMachine } from "../../workers/machine-slot.ts";

const log = pino({ level: "silent" });

/** Time that goes on when it is told to. */
class ManualClock implements Clock {
  readonly waits: { ms: number; end: () => void; isOver: () => boolean }[] = [];

  now(): number {
    return 0;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      signal?.addEventListener("abort", () => resolve(), { once: true });
      this.waits.push({ ms, end: resolve, isOver: () => signal?.aborted ?? false });
    });
  }
}

/** Only what the slot looks at. */
class Life {
  isDead = false;
  stops = 0;

  stop(): Promise<void> {
    this.stops++;
    return Promise.resolve();
  }
}

function slotWith(start: () => Promise<Life>) {
  const clock = new ManualClock();
  const startMachine = () => start() as Promise<unknown> as Promise<SlotMachine>;
  return { clock, slot: new MachineSlot({ startMachine, clock, log }) };
}

/** Let everything that can go on do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("the machine is started once, for all who ask", async () => {
  let starts = 0;
  const { slot } = slotWith(async () => {
    starts++;
    return new Life();
  });
  const [one, other] = await Promise.all([slot.machine(), slot.machine()]);
  expect(one).toBe(other);
  expect(starts).toBe(1);
});

test("a broken machine is stopped and its successor started before anyone asks", async () => {
  const lives: Life[] = [];
  const { slot } = slotWith(async () => {
    const life = new Life();
    lives.push(life);
    return life;
  });
  await slot.machine();
  slot.hold({ threadKey: "a", snapshot: "1" });
  slot.replace();
  await settle();
  expect(lives.map(({ stops }) => stops)).toEqual([1, 0]);
  expect(slot.held).toBeUndefined();
  expect(await slot.machine()).toBe(lives[1]);
});

test("a machine that died by itself is not handed out", async () => {
  const lives: Life[] = [];
  const { slot } = slotWith(async () => {
    const life = new Life();
    lives.push(life);
    return life;
  });
  await slot.machine();
  for (const life of lives) life.isDead = true;
  expect(await slot.machine()).toBe(lives[1]);
});

test("failing starts are tried again, ever less often, and a success makes it forget them", async () => {
  let isFailing = true;
  const { slot, clock } = slotWith(async () => {
    if (isFailing) throw new MachineError("START_FAILED", "no memory");
    return new Life();
  });
  await expect(slot.machine()).rejects.toMatchObject({ code: "START_FAILED" });
  for (let round = 0; round < 7; round++) {
    clock.waits[round]?.end();
    await settle();
  }
  expect(clock.waits.map(({ ms }) => ms)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ]);
  isFailing = false;
  clock.waits[7]?.end();
  await settle();
  expect(clock.waits).toHaveLength(8);
  isFailing = true;
  slot.replace();
  await settle();
  expect(clock.waits[8]?.ms).toBe(1_000);
});

test("turns that ask in vain do not make more tries of their own", async () => {
  const { slot, clock } = slotWith(async () => {
    throw new MachineError("START_FAILED", "no memory");
  });
  for (let ask = 0; ask < 5; ask++) await expect(slot.machine()).rejects.toThrow();
  expect(clock.waits.filter(({ isOver }) => !isOver())).toHaveLength(1);
  await slot.close();
});

test("a closed slot starts nothing more", async () => {
  let starts = 0;
  const { slot, clock } = slotWith(async () => {
    starts++;
    throw new MachineError("START_FAILED", "no memory");
  });
  await expect(slot.machine()).rejects.toThrow();
  await slot.close();
  clock.waits[0]?.end();
  await settle();
  expect(starts).toBe(1);
});
