import type { WebClient } from "@slack/web-api";
import type {
  Lineage,
  LineageStep,
  Position,
  ThreadStep,
  Turn,
  TurnContext,
  TurnOutcome,
} from "../src/queue/index.ts";
import { OPERATOR, replyThreadTs, threadKey } from "../src/queue/index.ts";
import { escapeMrkdwn, inlineCode } from "./slack/mrkdwn.ts";

/** What a step in a thread's history comes to: a sentence for the thread (mrkdwn), and where its head goes. */
export interface StepResult {
  text: string;
  outcome: TurnOutcome;
}

export interface StepOptions {
  client: WebClient;
  /** Post the first message of a new thread, once, whoever tries it again; its `ts`. */
  postRoot(text: string): Promise<string>;
}

/** Steps need no machine: they only say which state holds from now on. */
export async function takeStep(
  step: ThreadStep,
  turn: Turn,
  { position, lineage }: TurnContext,
  options: StepOptions,
): Promise<StepResult> {
  switch (step) {
    case "undo":
      return undo(position);
    case "redo":
      return redo(position);
    case "reset":
      return reset(position);
    case "history":
      return { text: historyText(await lineage()), outcome: OUTCOME };
    case "fork":
      return fork(turn, position, options);
  }
}

const OUTCOME: TurnOutcome = { status: "done", exitCode: null, durationMs: 0, outputBytes: 0 };
const SHOWN_STEPS = 15;
const SHOWN_COMMAND_LENGTH = 80;

function undo({ undo }: Position): StepResult {
  if (!undo) {
    return { text: "There is nothing to undo: this is where the thread began.", outcome: OUTCOME };
  }
  return {
    text: `↶ Undone: ${label(undo.step)}. The computer is as it was before it; \`redo\` brings it back.`,
    outcome: { ...OUTCOME, move: { kind: "undo" } },
  };
}

function redo({ redo }: Position): StepResult {
  if (!redo) {
    return { text: "There is nothing to do again: nothing was undone.", outcome: OUTCOME };
  }
  return {
    text: `↷ Done again: ${label(redo)}. The computer is as it was after it.`,
    outcome: { ...OUTCOME, move: { kind: "redo" } },
  };
}

function reset({ head }: Position): StepResult {
  if (head === null) return { text: "This computer is new already.", outcome: OUTCOME };
  return {
    text: "This thread has a new computer from now on; `undo` brings the old one back.",
    outcome: { ...OUTCOME, move: { kind: "commit", snapshot: null } },
  };
}

async function fork(turn: Turn, position: Position, options: StepOptions): Promise<StepResult> {
  const { teamId, channelId } = turn.thread;
  const from = await linkTo(
    options.client,
    channelId,
    replyThreadTs(turn.thread) ?? turn.messageTs,
  );
  const state = position.undo ? `after ${label(position.undo.step)}` : "at its beginning";
  const ts = await options.postRoot(
    `${nameOf(turn)} forked ${from ? `<${from}|this thread>` : "a thread"}: the computer of this one goes on from where that one was, ${state}.`,
  );
  const to = await linkTo(options.client, channelId, ts);
  const key = threadKey({ teamId, channelId, threadTs: ts });
  return {
    text: `⑂ Forked: ${to ? `<${to}|a new thread>` : "a new thread in this channel"} goes on from here with a computer of its own.`,
    outcome: { ...OUTCOME, move: { kind: "fork", threadKey: key } },
  };
}

async function linkTo(client: WebClient, channel: string, ts: string): Promise<string | undefined> {
  try {
    const { permalink } = await client.chat.getPermalink({ channel, message_ts: ts });
    return permalink && escapeMrkdwn(permalink);
  } catch {
    // The sentence stands without a link, too.
    return undefined;
  }
}

/** The thread's states, the newest first, with a mark at the one that holds. */
export function historyText({ steps, at }: Lineage): string {
  if (steps.length === 0) return "Nothing has happened on this computer yet.";
  const first = Math.max(0, Math.min(at - Math.ceil(SHOWN_STEPS / 2), steps.length - SHOWN_STEPS));
  const lines = steps.slice(first, first + SHOWN_STEPS).map((step, index) => {
    const number = first + index + 1;
    const mark = number === at ? "▸" : number > at ? "↷" : "•";
    return `${mark} ${number}. ${label(step)} ${nameOf(step)}, ${dateOf(step)}`;
  });
  if (at === 0) lines.unshift("▸ the beginning");
  const undone = steps.length - at;
  const hint = `▸ is where the computer is; \`undo\` goes one back${undone > 0 ? ", `redo` one on (↷)" : ""}.`;
  return `${lines.join("\n")}\n${hint}`;
}

function nameOf({ userId }: { userId: string }): string {
  return userId === OPERATOR ? "An operator" : `<@${userId}>`;
}

function label({ command }: LineageStep): string {
  const line = command.length > SHOWN_COMMAND_LENGTH;
  return inlineCode(line ? `${command.slice(0, SHOWN_COMMAND_LENGTH)}…` : command);
}

/** Slack shows it in the reader's time zone. */
function dateOf({ finishedAtMs }: LineageStep): string {
  const seconds = Math.floor(finishedAtMs / 1_000);
  return `<!date^${seconds}^{date_short_pretty} {time}|${new Date(finishedAtMs).toISOString()}>`;
}
