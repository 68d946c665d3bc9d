import { afterAll, beforeAll, expect, test } from "vitest";
import { threadKey } from "../../src/queue/index.ts";
import { mom } from "../support/mom.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { blockText, Harness } from "../worker/harness.ts";

/** What an operator does to threads from the command line, with a worker that takes turns. */

let harness: Harness;
let root: SeenMessage;
let key: string;

beforeAll(async () => {
  harness = await Harness.start();
  await harness.worker();
  root = await harness.root();
  const turn = await harness.command(root, "echo one > state");
  await harness.closed(turn);
  await harness.ask(root, "head -c 2000000 /dev/urandom > big; echo two > state");
  key = threadKey(turn.thread);
});
afterAll(() => harness.close());

async function run(
  ...args: string[]
): Promise<{ status: number | null; out: string; err: string }> {
  const { queue, machine } = harness.config;
  const env = {
    REDIS_URL: queue.redisUrl,
    MOM_QUEUE_PREFIX: queue.prefix,
    MOM_DATA_DIR: machine.dataDir,
  };
  const { status, stdout, stderr } = await mom(args, { env });
  return { status, out: stdout.toString(), err: stderr };
}

async function stateOf(thread: SeenMessage): Promise<string> {
  const { messages } = await harness.ask(thread, "cat state");
  return blockText(messages[0]);
}

test("list shows the threads, and history the states of one", async () => {
  const list = await run("thread", "list");
  expect(list).toMatchObject({ status: 0, out: expect.stringContaining(`${key}  `) });
  expect(list.out).toMatch(/at 2 of 2 {2}head -c 2000000/);
  const history = await run("thread", "history", key);
  expect(history.out).toMatch(/^ {2}0 .*the beginning\n {2}1 .*echo one > state\n▸ 2 .*head -c/);
  const { steps, at } = JSON.parse((await run("thread", "history", key, "--json")).out);
  expect([steps.length, at]).toEqual([2, 2]);
});

test("status shows what the thread and all of them keep", async () => {
  const { out } = await run("status");
  expect(out).toMatch(/1 thread with a computer: 2 states, 2\.\d MB\./);
  expect(out).toMatch(new RegExp(`^ {2}${key}: 2 states, 2\\.\\d MB$`, "m"));
  const status = JSON.parse((await run("status", "--json")).out);
  expect(status.threadSizes).toEqual([{ threadKey: key, states: 2, bytes: status.store.bytes }]);
  expect(status.store.bytes).toBeGreaterThan(2_000_000);
});

test("undo, redo and reset move the thread, and say where it is", async () => {
  const undone = await run("thread", "undo", key);
  expect(undone).toMatchObject({ status: 0, out: expect.stringMatching(/: at [0-9a-f]{12}\.\n$/) });
  const redone = await run("thread", "redo", key);
  expect(redone.out).not.toBe(undone.out);
  expect((await run("thread", "redo", key)).out).toBe(`${key}: there is nothing to redo.\n`);
  await run("thread", "undo", key);
  expect(await stateOf(root)).toContain("one");
  expect((await run("thread", "reset", key)).out).toBe(`${key}: at the base.\n`);
  expect((await run("thread", "undo", key, "--json")).status).toBe(0);
  expect(await stateOf(root)).toContain("one");
});

test("fork begins a thread that goes on from here, and names it", async () => {
  const { out } = await run("thread", "fork", key);
  const forked = out.trim();
  expect(forked).toMatch(/^T\w+-C\w+-\d+\.\d+$/);
  expect((await run("thread", "list")).out).toContain(forked);
  const ts = forked.split("-")[2] ?? "";
  expect(await stateOf({ ...root, ts })).toContain("one");
});

test("rm forgets a thread; what is no thread, or not known, is told", async () => {
  expect((await run("thread", "rm", key)).out).toBe(`${key} is forgotten.\n`);
  const unknown = await run("thread", "rm", key);
  expect(unknown).toMatchObject({ status: 1, err: expect.stringContaining("Nothing is known") });
  const wrong = await run("thread", "undo", "nonsense");
  expect(wrong).toMatchObject({
    status: 2,
    err: expect.stringContaining("“nonsense” is no thread"),
  });
});
