import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "bullmq";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Bell, DRAIN_QUEUE } from "../../src/queue/drain.ts";
import type { TurnTakerOptions } from "../../src/queue/index.ts";
import { keys } from "../../src/queue/keys.ts";
import { Mailboxes } from "../../src/queue/mailbox.ts";
import { done, prefix, quick, quiet, turn, until } from "./support.ts";
import { QueueWorld } from "./world.ts";

let world: QueueWorld;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());

describe("order", () => {
  test("turns of one thread run one at a time and in order, on two workers", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const ran: string[] = [];
    let atOnce = 0;
    let mostAtOnce = 0;
    const handle: TurnTakerOptions["handle"] = async ({ command }) => {
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      await sleep(5);
      ran.push(command);
      atOnce -= 1;
      return done;
    };
    await world.taker(name, { workerId: "w1", handle });
    await world.taker(name, { workerId: "w2", handle });
    const commands = Array.from({ length: 30 }, (_, i) => String(i));
    for (const command of commands) await queue.submit(turn("1", command));
    await until(() => ran.length === commands.length);
    expect(ran).toEqual(commands);
    expect(mostAtOnce).toBe(1);
  });

  test("ten threads on two workers run in parallel", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const workersOf = new Map<string, string>();
    let atOnce = 0;
    let mostAtOnce = 0;
    const handleOn =
      (workerId: string): TurnTakerOptions["handle"] =>
      async ({ thread }) => {
        atOnce += 1;
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        await sleep(50);
        workersOf.set(thread.threadTs, workerId);
        atOnce -= 1;
        return done;
      };
    await world.taker(name, { workerId: "w1", handle: handleOn("w1") });
    await world.taker(name, { workerId: "w2", handle: handleOn("w2") });
    await Promise.all(Array.from({ length: 10 }, (_, i) => queue.submit(turn(String(i), "sleep"))));
    await until(() => workersOf.size === 10);
    expect(mostAtOnce).toBe(2);
    expect(new Set(workersOf.values())).toEqual(new Set(["w1", "w2"]));
  });

  test("a thread with many turns lets other threads in between", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    for (let i = 0; i < 5; i += 1) await queue.submit(turn("long", `long ${i}`));
    await queue.submit(turn("short", "short"));
    const ran: string[] = [];
    await world.taker(name, {
      timing: { ...quick, slice: 0 },
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    await until(() => ran.length === 6);
    expect(ran.indexOf("short")).toBe(1);
    expect(ran.filter((command) => command !== "short")).toEqual(
      [0, 1, 2, 3, 4].map((i) => `long ${i}`),
    );
  });

  test("a bell rung after its job has looked into the mailbox makes it look again, once", async () => {
    const name = prefix();
    const bell = new Bell(world.client(), name, quiet);
    onTestFinished(() => bell.close());
    const gates: (() => void)[] = [];
    const worker = new Worker(
      DRAIN_QUEUE,
      () => new Promise<void>((resolve) => void gates.push(resolve)),
      { connection: world.blockingClient(), prefix: keys(name).bullmq },
    );
    onTestFinished(() => worker.close());
    await bell.ring("T1-C1-1");
    await until(() => gates.length === 1);
    await bell.ring("T1-C1-1");
    await bell.ring("T1-C1-1");
    gates[0]?.();
    await until(() => gates.length === 2);
    gates[1]?.();
    await sleep(100);
    expect(gates).toHaveLength(2);
  });

  test("a turn that arrives just as the mailbox runs empty is run", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const ran = new Set<string>();
    await world.taker(name, {
      timing: { ...quick, sweep: 600_000 },
      handle: async ({ command }) => {
        ran.add(command);
        return done;
      },
    });
    for (let i = 0; i < 100; i += 1) {
      await queue.submit(turn("1", String(i)));
      // Now and then the next one comes while the job is just ending, now and then long after.
      if (i % 3 === 0) await until(() => ran.has(String(i)));
      if (i % 7 === 0) await sleep(i % 5);
    }
    await until(() => ran.size === 100);
  });
});

describe("submit", () => {
  test("the same turn delivered twice is one turn, also after it has run", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    let runs = 0;
    await world.taker(name, {
      handle: async () => {
        runs += 1;
        return done;
      },
    });
    const once_ = turn("1", "date");
    expect(await queue.submit(once_)).toEqual({ accepted: true, position: 1 });
    await until(() => runs === 1);
    expect((await queue.submit(once_)).accepted).toBe(false);
    const twice = await Promise.all([
      queue.submit(turn("1", "a", { id: "same" })),
      queue.submit(turn("1", "a", { id: "same" })),
    ]);
    expect(twice.map(({ accepted }) => accepted).sort()).toEqual([false, true]);
    await until(() => runs === 2);
    await sleep(100);
    expect(runs).toBe(2);
  });

  test("its position counts the turns before it, the running one included", async () => {
    const queue = await world.queue(prefix());
    const positions = [];
    for (let i = 0; i < 3; i += 1) positions.push((await queue.submit(turn("1", "x"))).position);
    expect(positions).toEqual([1, 2, 3]);
  });

  test("a mailbox has a bound, and says so", async () => {
    const queue = await world.queue(prefix());
    for (let i = 0; i < 100; i += 1) await queue.submit(turn("1", "x"));
    await expect(queue.submit(turn("1", "x"))).rejects.toMatchObject({ code: "MAILBOX_FULL" });
    expect((await queue.submit(turn("2", "x"))).accepted).toBe(true);
  });

  test("a turn whose bell was never rung is found by the workers", async () => {
    const name = prefix();
    await new Mailboxes(world.client(), name).submit(turn("1", "forgotten"), Date.now());
    const ran: string[] = [];
    await world.taker(name, {
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    await until(() => ran.includes("forgotten"));
  });

  test("a second delivery of a turn whose bell was never rung rings it", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const ran: string[] = [];
    await world.taker(name, {
      timing: { ...quick, sweep: 600_000 },
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    const forgotten = turn("1", "forgotten");
    await new Mailboxes(world.client(), name).submit(forgotten, Date.now());
    expect((await queue.submit(forgotten)).accepted).toBe(false);
    await until(() => ran.includes("forgotten"));
  });
});
