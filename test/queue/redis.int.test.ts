import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { QueueError, TurnQueue } from "../../src/queue/index.ts";
import { keys } from "../../src/queue/keys.ts";
import { freePort } from "../support/redis.ts";
import { done, prefix, quick, quiet, turn, until } from "./support.ts";
import { QueueWorld } from "./world.ts";

let world: QueueWorld;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());

describe("Redis", () => {
  test("killed and started again in the middle, no turn is lost and none runs twice", async () => {
    const name = prefix();
    const queue = await world.queue(name);
    const ran: string[] = [];
    await world.taker(name, {
      timing: { ...quick, lock: 5_000 },
      handle: async ({ command }) => {
        await sleep(50);
        ran.push(command);
        return done;
      },
    });
    for (let i = 0; i < 10; i += 1) await queue.submit(turn("1", String(i)));
    await until(() => ran.length >= 2);
    await world.redis.kill();
    await expect(queue.submit(turn("1", "lost"))).rejects.toBeInstanceOf(QueueError);
    await world.redis.restart();
    await until(() => ran.length >= 10);
    await until(async () => {
      const status = await queue.status().catch(() => undefined);
      return status?.busyThreads === 0;
    });
    expect(ran).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(await queue.journal(turn("1", "").thread)).toHaveLength(10);
  });

  test("that does not answer fails a submit instead of holding it", async () => {
    const queue = await world.queue(prefix());
    world.redis.freeze();
    onTestFinished(() => world.redis.thaw());
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
  const queue = await world.queue(name);
  let finish = () => {};
  await world.taker(name, {
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
  const queue = await world.queue(name);
  const taker = await world.taker(name, { handle: async () => done });
  const one = turn("1", "x");
  await queue.submit(one);
  await until(async () => (await queue.journal(one.thread)).length === 1);
  await taker.close({ deadlineMs: 1_000 });
  const { journal, seen, thread, threads } = keys(name);
  const left = (await world.client().keys(`${name}:*`)).filter((key) => !key.includes(":bullmq:"));
  expect(left.sort()).toEqual(
    [journal("T1-C1-1"), seen(one.id), thread("T1-C1-1"), threads].sort(),
  );
});
