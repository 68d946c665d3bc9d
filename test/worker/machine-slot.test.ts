import { pino } from "pino";
import { expect, test } from "vitest";
import type { Clock } from "../../workers/clock.ts";
import { MachineError } from "../../workers/machine/api.ts";
import {
  MachineSlot,
  type MachineSlotOptions,
  type SlotMachine,
} from "../../workers/machine-slot.ts";

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

function slotWith(start: () => Promise<Life>, options: Pick<MachineSlotOptions, "warmUp"> = {}) {
  const clock = new ManualClock();
  const startMachine = () => start() as Promise<unknown> as Promise<SlotMachine>;
  return { clock, slot: new MachineSlot({ startMachine, clock, log, ...options }) };
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

test("a machine is warmed up until somebody asks for it, who gets it when the warm-up has ended", async () => {
  const ended = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const { slot } = slotWith(async () => new Life(), {
    warmUp: async (_machine, whenAsked) => {
      signal = whenAsked;
      await ended.promise;
    },
  });
  await slot.machine();
  void slot.warmUp();
  await settle();
  expect(signal?.aborted).toBe(false);
  let isHandedOut = false;
  const asked = slot.machine().then(() => {
    isHandedOut = true;
  });
  await settle();
  expect(signal?.aborted).toBe(true);
  expect(isHandedOut).toBe(false);
  ended.resolve();
  await asked;
});

test("the successor of a broken machine is warmed up, too, and an error in that keeps nobody from using it", async () => {
  const warmed: unknown[] = [];
  const lives: Life[] = [];
  const { slot } = slotWith(
    async () => {
      const life = new Life();
      lives.push(life);
      return life;
    },
    {
      warmUp: async (machine) => {
        warmed.push(machine);
        throw new MachineError("BAD_STATE", "of no use");
      },
    },
  );
  await slot.machine();
  slot.replace();
  await settle();
  expect(warmed).toEqual([lives[1]]);
  expect(await slot.machine()).toBe(lives[1]);
});

test("somebody who waits for the machine while it starts does not wait for a warm-up", async () => {
  const started = Promise.withResolvers<Life>();
  let warmUps = 0;
  const { slot } = slotWith(() => started.promise, {
    warmUp: async () => void warmUps++,
  });
  void slot.warmUp();
  const asked = slot.machine();
  await settle();
  started.resolve(new Life());
  await asked;
  expect(warmUps).toBe(0);
});

test("whoever finds the machine dead gets its successor without a warm-up beside", async () => {
  const lives: Life[] = [];
  const running = new Set<AbortSignal>();
  const { slot } = slotWith(
    async () => {
      const life = new Life();
      lives.push(life);
      return life;
    },
    {
      warmUp: async (_machine, signal) => {
        running.add(signal);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        running.delete(signal);
      },
    },
  );
  const first = await slot.machine();
  (first as unknown as Life).isDead = true;
  expect(await slot.machine()).toBe(lives[1]);
  expect(running.size).toBe(0);
});
