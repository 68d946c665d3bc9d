import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log, TakerTiming, Turn, TurnOutcome } from "../../src/queue/index.ts";

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Short enough for tests that wait for a worker to be missed. */
export const quick: Partial<TakerTiming> = {
  lock: 1_000,
  stalledCheck: 500,
  watch: 200,
  heartbeat: 500,
  sweep: 700,
  closeGrace: 500,
};

export const done: TurnOutcome = { status: "done", exitCode: 0, durationMs: 1, outputBytes: 0 };

let counter = 0;

export function turn(threadTs: string, command: string, changes: Partial<Turn> = {}): Turn {
  counter += 1;
  const messageTs = `1700000000.${String(counter).padStart(6, "0")}`;
  return {
    id: `T1-C1-${messageTs}`,
    thread: { teamId: "T1", channelId: "C1", threadTs },
    userId: "U1",
    messageTs,
    command,
    language: "bash",
    attachments: [],
    receivedAtMs: Date.now(),
    ...changes,
  };
}

/** Every test has keys of its own. */
export function prefix(): string {
  return `t-${randomUUID().slice(0, 8)}`;
}

/** Wait until something is so; the test's own time limit ends a wait for nothing. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}
