import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { JournalEntry, ThreadStep, Turn } from "../../src/queue/index.ts";
import { integersFrom, seed } from "../support/random.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { spawnWorker, whenReady } from "./child-worker.ts";
import { blockText, Harness } from "./harness.ts";

const THREADS = 8;
const TURNS = 26;
const WORKERS = 3;
const TIMEOUT_MS = 300_000;

test("with workers, machines and Redis killed at random, no turn is lost, applied twice or told twice", {
  timeout: TIMEOUT_MS,
}, async () => {
  const random = integersFrom(seed);
  const harness = await Harness.start();
  const folder = await mkdtemp(join(tmpdir(), "mom-kill-"));
  const workers: ChildProcess[] = [];
  onTestFinished(async () => {
    for (const worker of workers) worker.kill("SIGKILL");
    await harness.close();
    await rm(folder, { recursive: true, force: true });
  });
  const threads: { root: SeenMessage; turns: Turn[] }[] = [];
  for (let thread = 0; thread < THREADS; thread++) {
    threads.push({ root: await harness.root(), turns: [] });
  }
  for (let number = 0; number < TURNS; number++) {
    for (const { root, turns } of threads) {
      const { command, step } = task(random, number);
      turns.push(await harness.command(root, command, step ? { step } : {}));
    }
  }
  const start = async (slot: number, life: number) => {
    const worker = spawnWorker(harness, `w${slot}-${life}`, { folder, stderr: "ignore" });
    workers[slot] = worker;
    await whenReady(worker);
  };
  for (let slot = 0; slot < WORKERS; slot++) await start(slot, 0);

  const kills = { workers: 0, redis: 0 };
  const isOver = async () =>
    (await harness.queue.status().catch(() => undefined))?.busyThreads === 0;
  while (!(await isOver())) {
    await sleep(200 + random(1_500));
    if (random(6) === 0) {
      await harness.redis.restart();
      kills.redis++;
    } else {
      const slot = random(WORKERS);
      workers[slot]?.kill("SIGKILL");
      kills.workers++;
      await start(slot, kills.workers);
    }
  }

  const counts: Record<string, number> = {};
  let repeated = 0;
  for (const { root, turns } of threads) {
    const journal = await harness.queue.journal(turns[0]?.thread ?? fail(), 200);
    const ids = journal.map(({ turnId }) => turnId);
    expect(ids, `MOM_SEED=${seed}: every turn once and in order`).toEqual(
      turns.map(({ id }) => id),
    );
    for (const { status, attempt } of journal) {
      counts[status] = (counts[status] ?? 0) + 1;
      if (attempt > 1) repeated++;
    }
    const { messages } = await harness.ask(root, `echo "[$(paste -sd ' ' log 2>/dev/null)]"`);
    expect(blockText(messages[0]), `MOM_SEED=${seed}`).toContain(`[${model(journal)}]`);
    expect(harness.answers(root).length, `MOM_SEED=${seed}: one message a turn`).toBe(TURNS + 1);
  }
  console.log(
    `MOM_SEED=${seed}: ${THREADS * TURNS} turns on ${WORKERS} workers, ${kills.workers} workers and ${kills.redis} Redis killed, ${repeated} turns run again, ${JSON.stringify(counts)}; lost 0, twice 0`,
  );
});

/** A command that leaves its number, one that also takes its machine down, or a step back or on. */
function task(
  random: (below: number) => number,
  number: number,
): { command: string; step?: ThreadStep } {
  const choice = number === 0 ? 9 : random(10);
  if (choice === 0) return { command: "undo", step: "undo" };
  if (choice === 1) return { command: "redo", step: "redo" };
  if (choice === 2) return { command: `echo ${number} >> log; vanish` };
  return { command: `echo ${number} >> log; sleep 0.${random(3)}` };
}

/** What the thread's file holds after these turns. */
function model(journal: JournalEntry[]): string {
  let states: string[][] = [[]];
  let at = 0;
  for (const { step, status, command } of journal) {
    if (status !== "done") continue;
    if (step === "undo") at = Math.max(0, at - 1);
    else if (step === "redo") at = Math.min(states.length - 1, at + 1);
    else {
      const number = /\d+/.exec(command)?.[0] ?? "";
      states = [...states.slice(0, at + 1), [...(states[at] ?? []), number]];
      at++;
    }
  }
  return (states[at] ?? []).join(" ");
}

function fail(): never {
  throw new Error("there is no such thing");
}
