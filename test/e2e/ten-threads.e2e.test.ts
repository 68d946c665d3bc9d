import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalEntry } from "../../src/queue/index.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { ANSWER_WITHIN_MS, World } from "./support/world.ts";

/** The app, two workers with a real guest each, and a person who writes faster than they run. */
let world: World;

beforeAll(async () => {
  world = await World.start({ workers: 2 });
});

afterAll(() => world?.close());

async function journal(root: SeenMessage, length: number): Promise<JournalEntry[]> {
  const teamId = world.harness.slack.workspace.config.team.id;
  const thread = { teamId, channelId: root.channel, threadTs: root.ts };
  const untilMs = Date.now() + ANSWER_WITHIN_MS;
  for (;;) {
    const entries = await world.harness.queue.journal(thread);
    if (entries.length >= length || Date.now() > untilMs) return entries;
    await sleep(50);
  }
}

/** What a command printed, of an answer. */
const output = (answer: string) => /^```\n([\s\S]*?)\n```/.exec(answer)?.[1];

test("ten threads on two workers run in parallel, and each one in order on a computer of its own", async () => {
  const roots: SeenMessage[] = [];
  for (let number = 0; number < 10; number++) {
    roots.push(await world.say(`me=${number}; echo one >> log; cat log`));
  }
  // In quick succession, while the first ones still run.
  for (const word of ["two", "three"]) {
    for (const root of roots) await world.reply(root, `echo ${word} >> log; cat log; echo $me`);
  }
  const threads = await Promise.all(
    roots.map(async (root, number) => {
      const answers = await world.answers(root, 3);
      expect(answers.map(output)).toEqual([
        "one",
        `one\ntwo\n${number}`,
        `one\ntwo\nthree\n${number}`,
      ]);
      return journal(root, 3);
    }),
  );
  const turns = threads.flat();
  expect(turns).toHaveLength(30);
  expect(new Set(turns.map(({ workerId }) => workerId)).size).toBe(2);
  const startOf = ({ startedAtMs }: JournalEntry) => startedAtMs ?? Number.NaN;
  for (const thread of threads) {
    const inOrder = thread.toSorted((a, b) => Number(a.messageTs) - Number(b.messageTs));
    for (const [index, turn] of inOrder.entries()) {
      const before = inOrder[index - 1];
      if (before) expect(startOf(turn)).toBeGreaterThanOrEqual(before.finishedAtMs);
    }
  }
  const overlaps = turns.some((one) =>
    turns.some(
      (other) =>
        one.workerId !== other.workerId &&
        startOf(one) < other.finishedAtMs &&
        startOf(other) < one.finishedAtMs,
    ),
  );
  expect(overlaps).toBe(true);
});

test.each([
  ["again as a retry", { newEventId: false }],
  ["under a new id", { newEventId: true }],
])("a message that is delivered %s runs once", async (_how, fault) => {
  world.harness.slack.faults.add({ kind: "duplicate-event", times: 2, ...fault });
  const root = await world.say("echo ran >> log; cat log");
  expect(await world.answers(root, 1)).toHaveLength(1);
  await world.reply(root, "cat log; echo end");
  const answers = await world.answers(root, 2);
  expect(answers.map(output)).toEqual(["ran", "ran\nend"]);
  world.harness.slack.faults.clear();
});
