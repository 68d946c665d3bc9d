import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DRAIN_QUEUE } from "../../src/queue/drain.ts";
import { type TakerTiming, type Turn, threadKey } from "../../src/queue/index.ts";
import { keys } from "../../src/queue/keys.ts";
import { Mailboxes } from "../../src/queue/mailbox.ts";
import { MachineError } from "../../workers/machine/api.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { blockText, Harness } from "./harness.ts";
import { quickTiming } from "./timing.ts";

/** Programs that a turn leaves in the background, after the turn. */

const LONG_MS = 60_000;
/** Writes a line now and then, for a good while. */
const WRITER = "(for i in $(seq 300); do echo $i >> log; sleep 0.1; done) &";

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.start();
});
afterEach(() => harness.close());

async function worker(graceMs: number, timing: Partial<TakerTiming> = {}) {
  return harness.worker({
    config: { ...harness.config, graceMs },
    timing: { ...quickTiming, ...timing },
  });
}

async function headOf(turn: Turn): Promise<string | null | undefined> {
  const { steps, at } = await harness.queue.lineage(turn.thread);
  return steps[at - 1]?.snapshot;
}

/** Until every ring of the bell has been heard, and what it led to is over. */
async function drained(): Promise<void> {
  const connection = new Redis(harness.redis.url, { maxRetriesPerRequest: null });
  const { bullmq } = keys(harness.config.queue.prefix);
  const drains = new Queue(DRAIN_QUEUE, { connection, prefix: bullmq });
  await expect.poll(async () => (await drains.count()) + (await drains.getActiveCount())).toBe(0);
  await drains.close();
  connection.disconnect();
}

async function linesOf(root: SeenMessage): Promise<number> {
  const { messages } = await harness.ask(root, "wc -l < log");
  return Number(/\d+/.exec(blockText(messages[0]))?.[0]);
}

/** Run a command that leaves a writer behind; its turn, and the state that it led to. */
async function leaveWriter(): Promise<{ root: SeenMessage; turn: Turn; after: string }> {
  const root = await harness.root();
  const turn = await harness.command(root, WRITER);
  const { snapshotAfter } = await harness.closed(turn);
  return { root, turn, after: snapshotAfter ?? expect.fail("no state") };
}

test("they go on for the grace time, and what they did then is part of the turn", async () => {
  await worker(1_000);
  const { root, turn, after } = await leaveWriter();
  await expect.poll(() => headOf(turn), { timeout: 20_000 }).not.toBe(after);
  // No turn of its own: the journal and the history have the command alone.
  expect(await harness.queue.journal(turn.thread)).toHaveLength(1);
  expect((await harness.queue.lineage(turn.thread)).steps).toHaveLength(1);
  harness.machines.at(-1)?.die(new MachineError("MACHINE_DIED", "out of memory"));
  expect(await linesOf(root)).toBeGreaterThan(5);
  await harness.ask(root, "undo", { step: "undo" });
  await harness.ask(root, "undo", { step: "undo" });
  const { messages } = await harness.ask(root, "ls");
  expect(blockText(messages[0])).not.toContain("log");
});

test("they go on when a worker is rung for and there is no turn, in their thread or in another", async () => {
  await worker(LONG_MS);
  const other = await harness.command(await harness.root(), "true");
  await harness.closed(other);
  const { turn, after } = await leaveWriter();
  await sleep(1_000);
  // Slack delivers events again: the turns are known, and the bell rings.
  for (const known of [turn, other]) {
    expect(await harness.queue.submit(known)).toMatchObject({ accepted: false });
  }
  await drained();
  expect(await headOf(turn)).toBe(after);
});

test("a turn without any is saved once", async () => {
  await worker(300);
  const turn = await harness.command(await harness.root(), "echo x > log");
  const { snapshotAfter } = await harness.closed(turn);
  await sleep(800);
  expect(await headOf(turn)).toBe(snapshotAfter);
});

test("another thread's command ends their time, and what they did is kept", async () => {
  await worker(LONG_MS);
  const { root, turn, after } = await leaveWriter();
  await sleep(1_000);
  expect(await headOf(turn)).toBe(after);
  const other = await harness.ask(await harness.root(), "echo other");
  expect(blockText(other.messages[0])).toContain("other");
  expect(await headOf(turn)).not.toBe(after);
  expect(await linesOf(root)).toBeGreaterThan(5);
});

test("undo in their time takes back what they did, and redo brings it again", async () => {
  await worker(LONG_MS);
  const { root, after } = await leaveWriter();
  await sleep(1_000);
  const undone = await harness.ask(root, "undo", { step: "undo" });
  expect(undone.entry.snapshotAfter).toBeNull();
  const redone = await harness.ask(root, "redo", { step: "redo" });
  expect(redone.entry.snapshotAfter).not.toBe(after);
  expect(await linesOf(root)).toBeGreaterThan(5);
});

test("another worker that has the thread's next turn waits for what they did", async () => {
  // Nobody is told of the turn but the worker of this test.
  await worker(LONG_MS, { sweep: LONG_MS });
  const { turn, after } = await leaveWriter();
  await sleep(1_000);
  const redis = new Redis(harness.redis.url);
  const mailboxes = new Mailboxes(redis, harness.config.queue.prefix);
  const next = { ...turn, id: `${turn.id}-next` };
  await mailboxes.submit(next, Date.now());
  const key = threadKey(turn.thread);
  await expect(mailboxes.begin(key, "other")).rejects.toMatchObject({ code: "HELD" });
  const started = await vi.waitFor(() => mailboxes.begin(key, "other"), { timeout: 20_000 });
  redis.disconnect();
  expect(started?.turn.id).toBe(next.id);
  expect(started?.position.head).toBe(await headOf(turn));
  expect(started?.position.head).not.toBe(after);
});

test("a worker that ends keeps what they did", async () => {
  const running = await worker(LONG_MS);
  const { turn, after } = await leaveWriter();
  await sleep(1_000);
  await running.close({ deadlineMs: 5_000 });
  expect(await headOf(turn)).not.toBe(after);
});

test("a machine that dies in their time leaves the thread as its turn did", async () => {
  await worker(LONG_MS);
  const { root, turn, after } = await leaveWriter();
  await sleep(500);
  harness.machines.at(-1)?.die(new MachineError("MACHINE_DIED", "out of memory"));
  const { entry } = await harness.ask(root, "test -e log; echo $?");
  expect(entry.snapshotBefore).toBe(after);
  expect(await headOf(turn)).toBe(entry.snapshotAfter);
});
