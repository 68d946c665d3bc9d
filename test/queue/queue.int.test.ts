import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Bell, DRAIN_QUEUE } from "../../src/queue/drain.ts";
import {
  QueueError,
  TurnAborted,
  TurnQueue,
  TurnTaker,
  type TurnTakerOptions,
} from "../../src/queue/index.ts";
import { keys } from "../../src/queue/keys.ts";
import { Mailboxes } from "../../src/queue/mailbox.ts";
import { journalEntry } from "../../src/queue/outcome.ts";
import { freePort, startRedis, type TestRedis } from "../support/redis.ts";
import { done, prefix, quick, quiet, turn, until } from "./support.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function openQueue(name: string): Promise<TurnQueue> {
  const queue = new TurnQueue({ redisUrl: redis.url, prefix: name, log: quiet });
  onTestFinished(() => queue.close());
  await queue.ready();
  return queue;
}

async function openTaker(
  name: string,
  options: Partial<TurnTakerOptions> & Pick<TurnTakerOptions, "handle">,
): Promise<TurnTaker> {
  const taker = new TurnTaker({
    redisUrl: redis.url,
    prefix: name,
    workerId: "w1",
    log: quiet,
    timing: quick,
    abandon: async () => {},
    ...options,
  });
  onTestFinished(() => taker.close({ deadlineMs: 0 }));
  await taker.run();
  return taker;
}

function blockingClient(): Redis {
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  onTestFinished(() => connection.disconnect());
  return connection;
}

function client(): Redis {
  const connection = new Redis(redis.url);
  onTestFinished(() => connection.disconnect());
  return connection;
}

describe("order", () => {
  test("turns of one thread run one at a time and in order, on two workers", async () => {
    const name = prefix();
    const queue = await openQueue(name);
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
    await openTaker(name, { workerId: "w1", handle });
    await openTaker(name, { workerId: "w2", handle });
    const commands = Array.from({ length: 30 }, (_, i) => String(i));
    for (const command of commands) await queue.submit(turn("1", command));
    await until(() => ran.length === commands.length);
    expect(ran).toEqual(commands);
    expect(mostAtOnce).toBe(1);
  });

  test("ten threads on two workers run in parallel", async () => {
    const name = prefix();
    const queue = await openQueue(name);
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
    await openTaker(name, { workerId: "w1", handle: handleOn("w1") });
    await openTaker(name, { workerId: "w2", handle: handleOn("w2") });
    await Promise.all(Array.from({ length: 10 }, (_, i) => queue.submit(turn(String(i), "sleep"))));
    await until(() => workersOf.size === 10);
    expect(mostAtOnce).toBe(2);
    expect(new Set(workersOf.values())).toEqual(new Set(["w1", "w2"]));
  });

  test("a thread with many turns lets other threads in between", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    for (let i = 0; i < 5; i += 1) await queue.submit(turn("long", `long ${i}`));
    await queue.submit(turn("short", "short"));
    const ran: string[] = [];
    await openTaker(name, {
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
    const bell = new Bell(client(), name, quiet);
    onTestFinished(() => bell.close());
    const gates: (() => void)[] = [];
    const worker = new Worker(
      DRAIN_QUEUE,
      () => new Promise<void>((resolve) => void gates.push(resolve)),
      { connection: blockingClient(), prefix: keys(name).bullmq },
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
    const queue = await openQueue(name);
    const ran = new Set<string>();
    await openTaker(name, {
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
    const queue = await openQueue(name);
    let runs = 0;
    await openTaker(name, {
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
    const queue = await openQueue(prefix());
    const positions = [];
    for (let i = 0; i < 3; i += 1) positions.push((await queue.submit(turn("1", "x"))).position);
    expect(positions).toEqual([1, 2, 3]);
  });

  test("a mailbox has a bound, and says so", async () => {
    const queue = await openQueue(prefix());
    for (let i = 0; i < 100; i += 1) await queue.submit(turn("1", "x"));
    await expect(queue.submit(turn("1", "x"))).rejects.toMatchObject({ code: "MAILBOX_FULL" });
    expect((await queue.submit(turn("2", "x"))).accepted).toBe(true);
  });

  test("a turn whose bell was never rung is found by the workers", async () => {
    const name = prefix();
    await new Mailboxes(client(), name).submit(turn("1", "forgotten"), Date.now());
    const ran: string[] = [];
    await openTaker(name, {
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    await until(() => ran.includes("forgotten"));
  });

  test("a second delivery of a turn whose bell was never rung rings it", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const ran: string[] = [];
    await openTaker(name, {
      timing: { ...quick, sweep: 600_000 },
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    const forgotten = turn("1", "forgotten");
    await new Mailboxes(client(), name).submit(forgotten, Date.now());
    expect((await queue.submit(forgotten)).accepted).toBe(false);
    await until(() => ran.includes("forgotten"));
  });
});

describe("a worker that goes away", () => {
  test("killed in mid-turn, its turn runs again elsewhere, and before the next one", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const child = fork(new URL("./child-taker.ts", import.meta.url), [redis.url, name]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "message");
    await queue.submit(turn("1", "first"));
    await queue.submit(turn("1", "second"));
    const [message] = await once(child, "message");
    expect(message).toBe("took first");
    child.kill("SIGKILL");
    const ran: { command: string; attempt: number }[] = [];
    await openTaker(name, {
      handle: async ({ command }, { attempt }) => {
        ran.push({ command, attempt });
        return done;
      },
    });
    await until(() => ran.length === 2);
    expect(ran).toEqual([
      { command: "first", attempt: 2 },
      { command: "second", attempt: 1 },
    ]);
    const journal = await queue.journal(turn("1", "").thread);
    expect(journal.map(({ command, attempt }) => [command, attempt])).toEqual([
      ["first", 2],
      ["second", 1],
    ]);
  });

  test("a turn that another worker has started since cannot be completed", async () => {
    const name = prefix();
    const mailboxes = new Mailboxes(client(), name);
    const one = turn("1", "x");
    await mailboxes.submit(one, 0);
    const slow = await mailboxes.begin("T1-C1-1", "slow");
    const fast = await mailboxes.begin("T1-C1-1", "fast");
    if (!slow || !fast) throw new Error("no turn");
    const run = { startedAtMs: 0, finishedAtMs: 1, workerId: "slow", attempt: 1 };
    const entry = journalEntry(one, done, run);
    expect(fast.version).toBeGreaterThan(slow.version);
    expect(await mailboxes.watch(slow)).toEqual({ ours: false, stoppedBy: undefined });
    expect(await mailboxes.complete(slow, entry)).toBe("lost");
    expect(await mailboxes.journal("T1-C1-1", 10)).toEqual([]);
    expect(await mailboxes.complete(fast, { ...entry, workerId: "fast" })).toBe(0);
    expect(await mailboxes.complete(slow, entry)).toBe("lost");
    expect((await mailboxes.journal("T1-C1-1", 10)).map(({ workerId }) => workerId)).toEqual([
      "fast",
    ]);
  });

  test("a completion that is sent twice counts once", async () => {
    const mailboxes = new Mailboxes(client(), prefix());
    const [one, two] = [turn("1", "one"), turn("1", "two")];
    await mailboxes.submit(one, 0);
    await mailboxes.submit(two, 0);
    const started = await mailboxes.begin("T1-C1-1", "w");
    if (!started) throw new Error("no turn");
    const run = { startedAtMs: 0, finishedAtMs: 1, workerId: "w", attempt: 1 };
    const entry = journalEntry(one, done, run);
    expect(await mailboxes.complete(started, entry)).toBe(1);
    expect(await mailboxes.complete(started, entry)).toBe(1);
    expect(await mailboxes.journal("T1-C1-1", 10)).toHaveLength(1);
    expect((await mailboxes.begin("T1-C1-1", "w"))?.turn.command).toBe("two");
  });

  test("a worker whose turn was taken by another is told to end it", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const reasons: unknown[] = [];
    await openTaker(name, {
      handle: (_turn, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          });
        }),
    });
    await queue.submit(turn("1", "x"));
    await until(async () => (await queue.status()).workers[0]?.running.length === 1);
    await new Mailboxes(client(), name).begin("T1-C1-1", "other");
    await until(() => reasons.length === 1);
    expect(reasons[0]).toBeInstanceOf(TurnAborted);
    expect(reasons[0]).toMatchObject({ code: "LOST" });
  });

  test("a turn that never comes to an end is given up, told, and the next one runs", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const attempts: number[] = [];
    const abandoned: [string, number][] = [];
    const ran: string[] = [];
    await openTaker(name, {
      handle: async ({ command }, { attempt }) => {
        if (command === "bad") {
          attempts.push(attempt);
          throw new Error("the worker cannot do this one");
        }
        ran.push(command);
        return done;
      },
      abandon: async ({ command }, count) => {
        abandoned.push([command, count]);
      },
    });
    await queue.submit(turn("1", "bad"));
    await queue.submit(turn("1", "good"));
    await until(() => ran.length === 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(abandoned).toEqual([["bad", 3]]);
    const journal = await queue.journal(turn("1", "").thread);
    expect(journal.map(({ command, status }) => [command, status])).toEqual([
      ["bad", "abandoned"],
      ["good", "done"],
    ]);
  });

  test("closing aborts what does not finish in time; it runs again elsewhere at once", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const ran: { on: string; attempt: number }[] = [];
    const first = await openTaker(name, {
      workerId: "first",
      handle: (_turn, { signal, attempt }) => {
        ran.push({ on: "first", attempt });
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
    });
    await queue.submit(turn("1", "x"));
    await until(() => ran.length === 1);
    await first.close({ deadlineMs: 50 });
    await openTaker(name, {
      workerId: "second",
      handle: async (_turn, { attempt }) => {
        ran.push({ on: "second", attempt });
        return done;
      },
    });
    await until(() => ran.length === 2);
    // A turn given back in good order does not count as one that took its worker down.
    expect(ran[1]).toEqual({ on: "second", attempt: 1 });
  });

  test("closing waits for a turn that finishes before the deadline", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    let started = false;
    const taker = await openTaker(name, {
      handle: async () => {
        started = true;
        await sleep(200);
        return done;
      },
    });
    await queue.submit(turn("1", "x"));
    await until(() => started);
    await taker.close({ deadlineMs: 10_000 });
    expect(await queue.journal(turn("1", "").thread)).toHaveLength(1);
    expect((await queue.status()).workers).toEqual([]);
  });
});

describe("stop", () => {
  test("ends the running turn on the worker that has it; the next one goes on", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const ran: string[] = [];
    let reason: unknown;
    const handle: TurnTakerOptions["handle"] = async ({ command }, { signal }) => {
      ran.push(command);
      if (command !== "sleep inf") return done;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
      return { ...done, status: "canceled", exitCode: null };
    };
    await openTaker(name, { workerId: "w1", handle, timing: { ...quick, watch: 600_000 } });
    await openTaker(name, { workerId: "w2", handle, timing: { ...quick, watch: 600_000 } });
    await queue.submit(turn("1", "sleep inf"));
    await queue.submit(turn("1", "next"));
    await until(() => ran.includes("sleep inf"));
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("running");
    await until(() => ran.includes("next"));
    expect(reason).toMatchObject({ code: "STOPPED", userId: "U7" });
    const journal = await queue.journal(turn("1", "").thread);
    expect(journal[0]).toMatchObject({ status: "canceled", stoppedBy: "U7" });
  });

  test("without a worker that listens, the turn is stopped as soon as one takes it", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    await queue.submit(turn("1", "x"));
    await new Mailboxes(client(), name).begin("T1-C1-1", "gone");
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("running");
    const aborted: boolean[] = [];
    await openTaker(name, {
      handle: async (_turn, { signal }) => {
        aborted.push(signal.aborted);
        throw new Error("not needed any more");
      },
    });
    await until(async () => (await queue.journal(turn("1", "").thread)).length === 1);
    expect(aborted).toEqual([true]);
  });

  test("takes a turn that waits out of its mailbox, and leaves later ones", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    await queue.submit(turn("1", "one"));
    await queue.submit(turn("1", "two"));
    expect(await queue.stop(turn("1", "").thread, "U7")).toBe("queued");
    const ran: string[] = [];
    await openTaker(name, {
      handle: async ({ command }) => {
        ran.push(command);
        return done;
      },
    });
    await until(() => ran.length === 1);
    expect(ran).toEqual(["two"]);
  });

  test("in a thread where nothing runs there is nothing to stop", async () => {
    const queue = await openQueue(prefix());
    expect(await queue.stop(turn("9", "").thread, "U7")).toBe("nothing");
  });
});

describe("Redis", () => {
  test("killed and started again in the middle, no turn is lost and none runs twice", async () => {
    const name = prefix();
    const queue = await openQueue(name);
    const ran: string[] = [];
    await openTaker(name, {
      timing: { ...quick, lock: 5_000 },
      handle: async ({ command }) => {
        await sleep(50);
        ran.push(command);
        return done;
      },
    });
    for (let i = 0; i < 10; i += 1) await queue.submit(turn("1", String(i)));
    await until(() => ran.length >= 2);
    await redis.kill();
    await expect(queue.submit(turn("1", "lost"))).rejects.toBeInstanceOf(QueueError);
    await redis.restart();
    await until(() => ran.length >= 10);
    await until(async () => {
      const status = await queue.status().catch(() => undefined);
      return status?.busyThreads === 0;
    });
    expect(ran).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(await queue.journal(turn("1", "").thread)).toHaveLength(10);
  });

  test("that does not answer fails a submit instead of holding it", async () => {
    const queue = await openQueue(prefix());
    redis.freeze();
    onTestFinished(() => redis.thaw());
    await expect(queue.submit(turn("1", "x"))).rejects.toMatchObject({
      code: "REDIS_UNREACHABLE",
    });
  });

  test("that is not there gives one sentence with its address and without its password", async () => {
    const port = await freePort();
    const queue = new TurnQueue({
      redisUrl: `redis://:hunter2@127.0.0.1:${port}`,
      prefix: "x",
      log: quiet,
    });
    onTestFinished(() => queue.close());
    const error = await queue.ready().catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "REDIS_UNREACHABLE" });
    expect(String(error)).toContain(`redis://127.0.0.1:${port}`);
    expect(String(error)).toContain("ECONNREFUSED");
    expect(String(error)).not.toContain("hunter2");
  });
});

test("status names the workers that are alive and what they run", async () => {
  const name = prefix();
  const queue = await openQueue(name);
  let finish = () => {};
  await openTaker(name, {
    workerId: "w9",
    handle: async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return done;
    },
  });
  const running = turn("1", "x");
  await queue.submit(running);
  await until(async () => (await queue.status()).workers[0]?.running.length === 1);
  const status = await queue.status();
  expect(status.busyThreads).toBe(1);
  expect(status.workers).toMatchObject([
    { id: "w9", pid: process.pid, running: [{ turnId: running.id, threadKey: "T1-C1-1" }] },
  ]);
  finish();
  await until(async () => (await queue.status()).busyThreads === 0);
});

test("nothing stays in Redis of a turn that is over but its journal, its thread and the mark of its id", async () => {
  const name = prefix();
  const queue = await openQueue(name);
  const taker = await openTaker(name, { handle: async () => done });
  const one = turn("1", "x");
  await queue.submit(one);
  await until(async () => (await queue.journal(one.thread)).length === 1);
  await taker.close({ deadlineMs: 1_000 });
  const { journal, seen, thread, threads } = keys(name);
  const left = (await client().keys(`${name}:*`)).filter((key) => !key.includes(":bullmq:"));
  expect(left.sort()).toEqual(
    [journal("T1-C1-1"), seen(one.id), thread("T1-C1-1"), threads].sort(),
  );
});
