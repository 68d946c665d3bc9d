import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { TurnAborted } from "../../src/queue/index.ts";
import { Mailboxes } from "../../src/queue/mailbox.ts";
import { journalEntry } from "../../src/queue/outcome.ts";
import { done, prefix, turn, until } from "./support.ts";
import { QueueWorld } from "./world.ts";

let world: QueueWorld;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());

describe("a worker that goes away", () => {
  test("killed in mid-turn, its turn runs again elsewhere, and before the next one", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const child = fork(new URL("./child-taker.ts", import.meta.url), [world.redis.url, name]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "message");
    await queue.submit(turn("1", "first"));
    await queue.submit(turn("1", "second"));
    const [message] = await once(child, "message");
    expect(message).toBe("took first");
    child.kill("SIGKILL");
    const ran: { command: string; attempt: number }[] = [];
    await world.taker(name, {
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
    const mailboxes = new Mailboxes(world.client(), name);
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
    const mailboxes = new Mailboxes(world.client(), prefix());
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
    const queue = await world.queue(name);
    const reasons: unknown[] = [];
    await world.taker(name, {
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
    await new Mailboxes(world.client(), name).begin("T1-C1-1", "other");
    await until(() => reasons.length === 1);
    expect(reasons[0]).toBeInstanceOf(TurnAborted);
    expect(reasons[0]).toMatchObject({ code: "LOST" });
  });

  test("a turn that never comes to an end is given up, told, and the next one runs", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const attempts: number[] = [];
    const abandoned: [string, number][] = [];
    const ran: string[] = [];
    await world.taker(name, {
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
    const queue = await world.queue(name);
    const ran: { on: string; attempt: number }[] = [];
    const first = await world.taker(name, {
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
    await world.taker(name, {
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
    const queue = await world.queue(name);
    let started = false;
    const taker = await world.taker(name, {
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
