import { setTimeout as sleep } from "node:timers/promises";
import {
  type JournalEntry,
  type Lineage,
  OPERATOR,
  parseThreadKey,
  type ThreadRef,
  type ThreadStep,
  type Turn,
  type TurnQueue,
  threadKey,
} from "../queue/index.ts";
import type { CliContext } from "./context.ts";
import { CliError } from "./errors.ts";
import { withQueue } from "./queue.ts";

interface Options {
  json?: true;
}

const STEP_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 100;
const SHOWN_COMMAND_LENGTH = 60;

export async function listThreads(context: CliContext, { json }: Options): Promise<void> {
  const threads = await withQueue(context, async (queue) => {
    const known = await queue.threads();
    return Promise.all(
      known.map(async ({ threadKey: key, lastUsedMs }) => {
        const lineage = await queue.lineage(refOf(key));
        const last = lineage.steps[lineage.at - 1];
        return {
          thread: key,
          lastUsedMs,
          states: lineage.steps.length,
          at: lineage.at,
          lastCommand: last?.command ?? null,
        };
      }),
    );
  });
  if (json) return print(context, JSON.stringify(threads, null, 2));
  if (threads.length === 0) return print(context, "No thread has a computer.");
  const lines = threads.map(
    ({ thread, lastUsedMs, at, states, lastCommand }) =>
      `${thread}  ${timeOf(lastUsedMs)}  at ${at} of ${states}  ${oneLine(lastCommand ?? "")}`,
  );
  print(context, lines.join("\n"));
}

export async function showHistory(
  context: CliContext,
  key: string,
  { json }: Options,
): Promise<void> {
  const lineage = await withQueue(context, (queue) => queue.lineage(refOf(key)));
  print(context, json ? JSON.stringify(lineage, null, 2) : historyText(lineage));
}

/** Put a step into the thread's mailbox and wait for a worker to take it. */
export async function takeThreadStep(
  context: CliContext,
  key: string,
  step: ThreadStep,
  { json }: Options,
): Promise<void> {
  const thread = refOf(key);
  const entry = await withQueue(context, async (queue) => {
    const turn = stepTurn(thread, step, Date.now());
    await queue.submit(turn);
    return closed(queue, turn, context.signal);
  });
  if (json) return print(context, JSON.stringify(entry, null, 2));
  print(context, stepText(step, key, entry));
}

export async function removeThread(
  context: CliContext,
  key: string,
  { json }: Options,
): Promise<void> {
  const result = await withQueue(context, (queue) => queue.forget(threadKey(refOf(key))));
  if (result === "in use") {
    throw new CliError("BUSY", `Thread ${key} has commands that run or wait: try again later.`);
  }
  if (result === "unknown") throw unknownThread(key);
  print(context, json ? JSON.stringify({ thread: key, removed: true }) : `${key} is forgotten.`);
}

/** Throws `CliError` for what is no thread. */
export function refOf(key: string): ThreadRef {
  const ref = parseThreadKey(key);
  if (!ref) {
    throw new CliError(
      "USAGE",
      `“${key}” is no thread: take one from ./mom thread list, such as T024BE7LD-C012AB3CD-1700000000.000100.`,
    );
  }
  return ref;
}

function unknownThread(key: string): CliError {
  return new CliError("MISSING", `Nothing is known of thread ${key}: see ./mom thread list.`);
}

/** Slack's clock and ours may differ: the time only says from where on to look for the step's message. */
const CLOCK_SLACK_MS = 60_000;

function stepTurn(thread: ThreadRef, step: ThreadStep, nowMs: number): Turn {
  const unique = String(Math.floor(Math.random() * 1_000)).padStart(3, "0");
  const messageTs = `${((nowMs - CLOCK_SLACK_MS) / 1_000).toFixed(3)}${unique}`;
  return {
    id: `${thread.teamId}-${thread.channelId}-${messageTs}`,
    thread,
    userId: OPERATOR,
    messageTs,
    command: step,
    language: "bash",
    attachments: [],
    step,
    receivedAtMs: nowMs,
  };
}

async function closed(queue: TurnQueue, turn: Turn, signal: AbortSignal): Promise<JournalEntry> {
  const untilMs = Date.now() + STEP_WITHIN_MS;
  for (;;) {
    const entries = await queue.journal(turn.thread);
    const entry = entries.find(({ turnId }) => turnId === turn.id);
    if (entry) return entry;
    signal.throwIfAborted();
    if (Date.now() > untilMs) {
      throw new CliError(
        "BUSY",
        "No worker has come to it in a minute; it stays in the thread's mailbox. See ./mom status.",
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

function stepText(step: ThreadStep, key: string, entry: JournalEntry): string {
  if (entry.forkedTo) return entry.forkedTo;
  if (entry.error) return `${key}: ${entry.error}`;
  if (entry.snapshotBefore === entry.snapshotAfter) return `${key}: there is nothing to ${step}.`;
  return `${key}: ${entry.snapshotAfter ? `at ${entry.snapshotAfter.slice(0, 12)}` : "at the base"}.`;
}

function historyText({ steps, at }: Lineage): string {
  const lines = steps.map((step, index) => {
    const number = index + 1;
    const mark = number === at ? "▸" : number > at ? "↷" : " ";
    const state = step.snapshot?.slice(0, 12) ?? "base";
    return `${mark} ${number}  ${timeOf(step.finishedAtMs)}  ${state}  ${step.userId}  ${oneLine(step.command)}`;
  });
  return [`${at === 0 ? "▸" : " "} 0  the beginning`, ...lines].join("\n");
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > SHOWN_COMMAND_LENGTH ? `${line.slice(0, SHOWN_COMMAND_LENGTH)}…` : line;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

function print(context: CliContext, text: string): void {
  context.stdout.write(`${text}\n`);
}
