import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Keeper } from "../../src/cli/services/keeper.ts";
import { Part } from "../../src/cli/services/part.ts";
import { saysReady } from "../../src/cli/services/ready.ts";
import { livingProcesses } from "./process-list.ts";

const never = new AbortController().signal;
let folder: string;
const parts: Part[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-part-"));
});

afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
  rmSync(folder, { recursive: true });
});

/** A part of ours that runs this script. */
async function start(script: string, signal = never, readyTimeoutMs = 20_000) {
  const part = await Part.start(
    {
      name: "test part",
      command: process.execPath,
      args: ["-e", script],
      env: {},
      ipc: true,
      logPath: join(folder, "part.log"),
      ready: saysReady,
      readyTimeoutMs,
      stopTimeoutMs: 500,
    },
    signal,
  );
  parts.push(part);
  return part;
}

const ready = "process.send({ event: 'ready', url: 'http://x' });";
const waits = "setInterval(() => {}, 1000);";
const livingIn = (group: number | undefined) =>
  livingProcesses().filter((entry) => entry.group === group);
/** What is killed ends when it next gets the processor. */
const noneIsLeftOf = (group: number | undefined) =>
  expect.poll(() => livingIn(group), { timeout: 10_000 }).toEqual([]);

/** A script whose process is known by its command line, however early it is. */
const marked = (script: string) => `/* ${folder} */ ${script}`;
const livingMarked = () => livingProcesses().filter(({ command }) => command.includes(folder));

test("it is there when it says so, with what it says", async () => {
  const part = await start(`process.send('something else'); ${ready} ${waits}`);
  expect(part.ready).toEqual({ event: "ready", url: "http://x" });
});

test("one that ends before it is ready is an error with the last lines of its log", async () => {
  writeFileSync(join(folder, "part.log"), "of an earlier start\n");
  const failing = start("console.log('first'); console.error('no such thing'); process.exit(3)");
  await expect(failing).rejects.toThrow(
    "The test part ended with exit status 3.\nIts last lines:\n  first\n  no such thing",
  );
  await expect(failing).rejects.not.toThrow(/earlier/);
});

test("one that cannot be started is an error", async () => {
  const options = { name: "ghost", command: "/nonexistent", args: [], env: {}, ipc: false };
  const starting = Part.start(
    {
      ...options,
      logPath: join(folder, "ghost.log"),
      ready: () => new Promise(() => undefined),
      readyTimeoutMs: 5_000,
      stopTimeoutMs: 500,
    },
    never,
  );
  await expect(starting).rejects.toThrow(/The ghost could not be started/);
});

test("one that is never ready is killed and told", async () => {
  const starting = start(marked(waits), never, 2_000);
  starting.catch(() => {});
  await expect.poll(livingMarked).toHaveLength(1);
  await expect(starting).rejects.toThrow(/was not ready after 2 s/);
  await expect.poll(livingMarked).toEqual([]);
});

test("an abort while it starts kills it and throws the reason", async () => {
  const abort = new AbortController();
  const starting = start(marked(waits), abort.signal);
  starting.catch(() => {});
  await expect.poll(livingMarked).toHaveLength(1);
  abort.abort(new Error("enough"));
  await expect(starting).rejects.toThrow("enough");
  await expect.poll(livingMarked).toEqual([]);
});

test("stop takes along what it has started, and one that will not end", async () => {
  const child = `require('node:child_process').spawn('sleep', ['60']);`;
  const part = await start(`process.on('SIGTERM', () => {}); ${child} ${ready} ${waits}`);
  expect(livingIn(part.pid)).toHaveLength(2);
  await part.stop();
  await noneIsLeftOf(part.pid);
});

test("a part that ends is started again, until it is stopped", async () => {
  const messages: string[] = [];
  const first = await start(`${ready} setTimeout(() => process.exit(1), 50)`);
  const keeper = new Keeper(first, {
    start: () => start(`${ready} ${waits}`),
    onRestart: (message) => messages.push(message),
    onGiveUp: (message) => messages.push(message),
  });
  while (keeper.pid === first.pid) await sleep(20);
  expect(messages).toEqual(["The test part ended with exit status 1: starting it again."]);
  const { pid } = keeper;
  await keeper.stop();
  await noneIsLeftOf(pid);
  expect(messages).toHaveLength(1);
});

test("a part that ends again and again is given up", async () => {
  const dies = () => start(`${ready} setTimeout(() => process.exit(1), 20)`);
  const givenUp = Promise.withResolvers<string>();
  let restarts = 0;
  const keeper = new Keeper(await dies(), {
    start: dies,
    onRestart: () => restarts++,
    onGiveUp: givenUp.resolve,
  });
  expect(await givenUp.promise).toBe("The test part ended with exit status 1, again and again.");
  expect(restarts).toBe(4);
  await keeper.stop();
});
