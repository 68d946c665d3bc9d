import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TakerTiming } from "../../src/queue/index.ts";
import { spawnWorker, whenReady } from "./child-worker.ts";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;
let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  harness = await Harness.start();
  folder = await mkdtemp(join(tmpdir(), "mom-workers-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await harness.close();
  await rm(folder, { recursive: true, force: true });
});

async function childWorker(
  workerId: string,
  timing: Partial<TakerTiming> = {},
): Promise<ChildProcess> {
  const child = spawnWorker(harness, workerId, { folder, timing, stderr: "inherit" });
  children.push(child);
  await whenReady(child);
  return child;
}

test("ten threads on two workers run in parallel, and each one in order", async () => {
  await harness.worker();
  await harness.worker();
  const roots = await Promise.all(Array.from({ length: 10 }, () => harness.root()));
  const turns = [];
  for (const step of [1, 2, 3]) {
    for (const root of roots)
      turns.push(await harness.command(root, `echo ${step} >> log; cat log`));
  }
  const entries = await Promise.all(turns.map((turn) => harness.closed(turn, 60_000)));
  await harness.ask(roots[0] ?? fail(), "true");
  for (const root of roots) {
    const texts = harness.answers(root).map((message) => blockText(message).split("✓")[0]);
    expect(texts.slice(0, 3)).toEqual(["```\n1\n```\n", "```\n1\n2\n```\n", "```\n1\n2\n3\n```\n"]);
  }
  expect(new Set(entries.map(({ workerId }) => workerId)).size).toBe(2);
  const overlap = entries.some((one) =>
    entries.some(
      (other) =>
        one.workerId !== other.workerId &&
        (one.startedAtMs ?? 0) < other.finishedAtMs &&
        (other.startedAtMs ?? 0) < one.finishedAtMs,
    ),
  );
  expect(overlap).toBe(true);
});

test("a thread goes on where it was, on whichever worker", async () => {
  const first = await harness.worker();
  const root = await harness.root();
  await harness.ask(root, "mkdir a && cd a && x=1");
  await harness.worker();
  await first.close({ deadlineMs: 1_000 });
  const { messages } = await harness.ask(root, 'x=$((x + 1)); echo "$x $(basename "$PWD")"');
  expect(blockText(messages[0])).toContain("2 a");
});

test("a worker killed in mid-turn: the turn runs again from where the thread was, in the same message", async () => {
  const doomed = await childWorker("doomed");
  const root = await harness.root();
  await harness.ask(root, "echo start > log");
  const marker = join(folder, "runs");
  const turn = await harness.command(
    root,
    `echo run >> ${marker}; echo step >> log; [ "$(wc -l < ${marker})" = 2 ] || sleep 20; cat log`,
  );
  const running = await harness.you.waitForReply(root, ({ text }) => text.includes("running"));
  doomed.kill("SIGKILL");
  await childWorker("heir");
  expect(await harness.closed(turn)).toMatchObject({ attempt: 2, workerId: "heir", exitCode: 0 });
  const final = await harness.you.waitForReply(root, ({ text }) => text.includes("step"));
  expect(final.ts).toBe(running.ts);
  expect(blockText(final)).toMatch(/^```\nstart\nstep\n```\n✓ exit 0/);
  expect(harness.answers(root)).toHaveLength(2);
  expect((await readFile(marker, "utf8")).split("\n")).toHaveLength(3);
});

test("a worker that was frozen and comes back changes nothing that others did since", async () => {
  // It does not ask in time whether the turn is still its own: its snapshot must be refused as such.
  const frozen = await childWorker("frozen", { watch: 60_000 });
  const root = await harness.root();
  await harness.ask(root, "echo start > log");
  const turn = await harness.command(root, "sleep 1.5; echo step >> log; cat log");
  await harness.you.waitForReply(root, ({ text }) => text.includes("running"));
  frozen.kill("SIGSTOP");
  await childWorker("heir");
  expect(await harness.closed(turn)).toMatchObject({ attempt: 2, workerId: "heir" });
  await harness.ask(root, "echo later >> log");
  frozen.kill("SIGCONT");
  // Long enough for it to end its turn.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const { messages } = await harness.ask(root, "cat log");
  expect(blockText(messages[0])).toContain("```\nstart\nstep\nlater\n```");
  expect(harness.answers(root)).toHaveLength(4);
});

test("a turn that takes its worker down every time is given up with a message", async () => {
  const root = await harness.root();
  const turn = await harness.command(root, 'echo "$PPID" > /dev/null; sleep 1.2; kill -9 "$PPID"');
  for (const name of ["one", "two", "three"]) {
    const child = await childWorker(name);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  await childWorker("four");
  expect(await harness.closed(turn)).toMatchObject({ status: "abandoned" });
  const told = await harness.you.waitForReply(root, ({ text }) => text.includes("started 3 times"));
  expect(told.text).toContain("It is not run again.");
  expect(harness.answers(root)).toHaveLength(1);
});

test("a worker that closes finishes its turn when there is time", async () => {
  const worker = await harness.worker();
  const root = await harness.root();
  const turn = await harness.command(root, "sleep 1.5; echo finished");
  await harness.you.waitForReply(root);
  await worker.close({ deadlineMs: 10_000 });
  expect(await harness.closed(turn)).toMatchObject({ status: "done", attempt: 1 });
});

test("a worker that closes without time gives its turn back, and the thread has one answer", async () => {
  const worker = await harness.worker();
  const root = await harness.root();
  const marker = join(folder, "runs");
  const turn = await harness.command(
    root,
    `echo run >> ${marker}; [ "$(wc -l < ${marker})" = 2 ] || sleep 20; echo here`,
  );
  await harness.you.waitForReply(root);
  await worker.close({ deadlineMs: 100 });
  const heir = await harness.worker();
  expect(await harness.closed(turn)).toMatchObject({ status: "done", workerId: heir.id });
  await harness.you.waitForReply(root, ({ text }) => text.includes("here"));
  expect(harness.answers(root)).toHaveLength(1);
});

test("nothing of a worker's machines is left after its end", async () => {
  const worker = await harness.worker();
  await harness.ask(await harness.root(), "echo hi");
  await worker.close({ deadlineMs: 1_000 });
  expect(harness.machines.map(({ isDead }) => isDead)).toEqual([true]);
});

function fail(): never {
  throw new Error("there is no such thread");
}
