import { afterAll, beforeAll, expect, test } from "vitest";
import { parseThreadKey, type ThreadStep } from "../../src/queue/index.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
  await harness.worker();
});
afterAll(() => harness.close());

async function step(root: SeenMessage, name: ThreadStep) {
  const { messages, entry } = await harness.ask(root, name, { step: name });
  expect(messages).toHaveLength(1);
  return { text: blockText(messages[0]), entry };
}

async function stateOf(root: SeenMessage): Promise<string> {
  const { messages } = await harness.ask(root, "cat state 2>/dev/null || echo none");
  return /^```\n(.*)\n```/.exec(blockText(messages[0]))?.[1] ?? "";
}

async function threadWith(...values: string[]): Promise<SeenMessage> {
  const root = await harness.root();
  for (const value of values) await harness.ask(root, `echo ${value} > state`);
  return root;
}

test("undo takes turns back one by one to the beginning, and redo does them again", async () => {
  const root = await threadWith("one", "two");
  const first = await step(root, "undo");
  expect(first.text).toMatch(/^↶ Undone: `echo two &gt; state`\./);
  expect(await stateOf(root)).toBe("one");
  // Looking was a turn, too.
  for (let i = 0; i < 2; i++) await step(root, "undo");
  const last = await step(root, "undo");
  expect(last.text).toContain("nothing to undo");
  expect(last.entry).toMatchObject({ status: "done", snapshotBefore: null, snapshotAfter: null });
  const again = await step(root, "redo");
  expect(again.text).toMatch(/^↷ Done again: `echo one &gt; state`\./);
  expect(await stateOf(root)).toBe("one");
});

test("a command after an undo starts from there, and what was undone is gone", async () => {
  const root = await threadWith("one", "two");
  await step(root, "undo");
  await harness.ask(root, "echo three >> state");
  expect((await step(root, "redo")).text).toContain("nothing to do again");
  const { messages } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toContain("one\nthree");
});

test("reset gives a new computer, and undo the old one back", async () => {
  const root = await threadWith("one");
  expect((await step(root, "reset")).text).toContain("new computer");
  expect((await step(root, "reset")).text).toBe("This computer is new already.");
  expect(await stateOf(root)).toBe("none");
  await step(root, "undo");
  await step(root, "undo");
  expect(await stateOf(root)).toBe("one");
});

test("the journal says which state a turn started from and which it led to", async () => {
  const root = await harness.root();
  const { entry: one } = await harness.ask(root, "echo one > state");
  const { entry: two } = await harness.ask(root, "echo two > state");
  const { entry: back } = await step(root, "undo");
  expect(one).toMatchObject({
    snapshotBefore: null,
    snapshotAfter: expect.stringMatching(/^[0-9a-f]{64}$/),
    storedBytes: expect.any(Number),
  });
  expect(two.snapshotBefore).toBe(one.snapshotAfter);
  expect(back).toMatchObject({
    step: "undo",
    snapshotBefore: two.snapshotAfter,
    snapshotAfter: one.snapshotAfter,
  });
});

test("fork begins a thread at this state, which says where it came from, and both go their own ways", async () => {
  const root = await threadWith("one", "two");
  const { text, entry } = await step(root, "fork");
  const ref = parseThreadKey(entry.forkedTo ?? "");
  expect(text).toContain(`p${ref?.threadTs.replace(".", "")}`);
  const forked = await harness.you.waitFor(({ ts }) => ts === ref?.threadTs);
  expect(blockText(forked)).toMatch(
    new RegExp(
      `forked <.*p${root.ts.replace(".", "")}[^|]*\\|this thread>.*after \`echo two &gt; state\``,
    ),
  );
  await harness.ask(forked, "echo forked > state");
  expect([await stateOf(root), await stateOf(forked)]).toEqual(["two", "forked"]);
});

test("history shows the turns with a mark where the computer is", async () => {
  const root = await harness.root();
  expect((await step(root, "history")).text).toContain("Nothing has happened");
  for (const value of ["one", "two"]) await harness.ask(root, `echo ${value} > state`);
  await step(root, "undo");
  const { text } = await step(root, "history");
  const marks = text
    .split("\n")
    .map((line) => /^(\S+) (\d\. `echo \w+|is)/.exec(line)?.slice(1, 3));
  expect(marks).toEqual([
    ["▸", "1. `echo one"],
    ["↷", "2. `echo two"],
    ["▸", "is"],
  ]);
});

test("steps wait for the commands before them, and hold for those behind them", async () => {
  const root = await harness.root();
  const turns = [];
  turns.push(await harness.command(root, "echo one > state"));
  turns.push(await harness.command(root, "sleep 0.5; echo two > state"));
  turns.push(await harness.command(root, "undo", { step: "undo" }));
  turns.push(await harness.command(root, "cat state"));
  for (const turn of turns) await harness.closed(turn);
  expect(await stateOf(root)).toBe("one");
});

test("in a direct message the steps work on the conversation", async () => {
  const send = async (command: string, name?: ThreadStep) => {
    const { turn } = await harness.direct(command, name ? { step: name } : {});
    return harness.closed(turn);
  };
  await send("echo one > state");
  await send("echo two > state");
  await send("undo", "undo");
  const entry = await send("grep one state");
  expect(entry.exitCode).toBe(0);
});
