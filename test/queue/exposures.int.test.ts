import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type HeadMove,
  MOST_EXPOSED_PORTS,
  type ThreadRef,
  type TurnQueue,
  threadKey,
} from "../../src/queue/index.ts";
import { done, prefix, turn, until } from "./support.ts";
import { QueueWorld } from "./world.ts";

/** Names of ports that threads expose, in a real Redis. */

const THREAD: ThreadRef = { teamId: "T1", channelId: "C1", threadTs: "1.1" };
const OTHER: ThreadRef = { ...THREAD, threadTs: "2.2" };

let world: QueueWorld;
let queue: TurnQueue;
let name: string;
beforeAll(async () => {
  world = await QueueWorld.start();
});
afterAll(() => world.stop());
beforeEach(async () => {
  name = prefix();
  queue = await world.queue(name);
});

/** A worker that closes every turn, with this move. */
async function work(move?: HeadMove): Promise<void> {
  await world.taker(name, { handle: async () => ({ ...done, ...(move ? { move } : {}) }) });
  await until(async () => (await queue.status()).busyThreads === 0);
}

test("a port gets a name of 160 random bits that fits a host name, and keeps it", async () => {
  await queue.submit(turn("1.1", "serve"));
  const first = await queue.expose(THREAD, 8000);
  expect(first.name).toMatch(/^[a-z2-7]{32}$/);
  expect(await queue.expose(THREAD, 8000)).toEqual(first);
  const second = await queue.expose(THREAD, 80);
  expect(second.name).not.toBe(first.name);
  expect(await queue.exposedPorts(THREAD)).toEqual([second, first]);
  expect(await queue.exposure(first.name)).toEqual({ threadKey: threadKey(THREAD), port: 8000 });
  expect(await queue.exposure("a".repeat(32))).toBeUndefined();
});

test("a name that was taken away leads nowhere, and does not come back", async () => {
  await queue.submit(turn("1.1", "serve"));
  const { name: before } = await queue.expose(THREAD, 8000);
  expect(await queue.unexpose(THREAD, 8000)).toBe(true);
  expect(await queue.unexpose(THREAD, 8000)).toBe(false);
  expect(await queue.exposure(before)).toBeUndefined();
  expect(await queue.exposedPorts(THREAD)).toEqual([]);
  expect((await queue.expose(THREAD, 8000)).name).not.toBe(before);
});

test("a thread has a bounded number of them, also when they are asked for at once", async () => {
  await queue.submit(turn("1.1", "serve"));
  const asked = await Promise.allSettled(
    Array.from({ length: MOST_EXPOSED_PORTS + 3 }, (_, index) => queue.expose(THREAD, 1 + index)),
  );
  const refused = asked.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(refused).toHaveLength(3);
  for (const error of refused) expect(error).toMatchObject({ code: "TOO_MANY_PORTS" });
  expect(await queue.exposedPorts(THREAD)).toHaveLength(MOST_EXPOSED_PORTS);
});

test("a thread without a computer exposes nothing", async () => {
  await expect(queue.expose(THREAD, 8000)).rejects.toMatchObject({ code: "UNUSED_THREAD" });
});

test("a fork has no names of the thread that it came from", async () => {
  await queue.submit(turn("1.1", "fork"));
  await queue.expose(THREAD, 8000);
  await work({ kind: "fork", threadKey: threadKey(OTHER) });
  expect(await queue.exposedPorts(OTHER)).toEqual([]);
  const { name: own } = await queue.expose(OTHER, 8000);
  expect(await queue.exposure(own)).toEqual({ threadKey: threadKey(OTHER), port: 8000 });
});

test("they stay with a reset and go with the thread", async () => {
  await queue.submit(turn("1.1", "reset"));
  await queue.submit(turn("2.2", "true"));
  const mine = await queue.expose(THREAD, 8000);
  const theirs = await queue.expose(OTHER, 8000);
  await work({ kind: "commit", snapshot: null });
  expect(await queue.exposedPorts(THREAD)).toEqual([mine]);
  expect(await queue.forget(threadKey(THREAD))).toBe("forgotten");
  expect(await queue.exposedPorts(THREAD)).toEqual([]);
  expect(await queue.exposure(mine.name)).toBeUndefined();
  expect(await queue.exposure(theirs.name)).toBeDefined();
});
