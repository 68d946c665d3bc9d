import type { KnownBlock } from "@slack/web-api";
import { codeBlock, escapeMrkdwn } from "./mrkdwn.ts";
import type { OutputView } from "./output-view.ts";
import { formatElapsed } from "./quantities.ts";

/** What a turn's message shows at one moment. `text` stands in notifications and where blocks cannot. */
export interface MessageContent {
  text: string;
  blocks: KnownBlock[];
}

/** The app answers this action by stopping the thread's turn; the button's value is the thread's key. */
export const STOP_ACTION_ID = "stop_turn";

/**
 * Limits of one stream's code block. A section takes 3,000 characters; fence and line feeds need a few.
 * Two streams and the rest stay well below the 13,000 characters above which Slack refuses a message.
 */
export const OUTPUT_LIMITS = { maxLength: 2_900, maxLines: 40 };
export const LIVE_LIMITS = { maxLength: 2_900, maxLines: 24 };
/** Notes are cut here: Slack takes no more in one context element. */
const MAX_NOTE_LENGTH = 1_900;
const MAX_SUMMARY_LENGTH = 600;

export interface RunningState {
  /** What is being done: "running", "starting the computer". */
  activity: string;
  elapsedMs: number;
  threadKey: string;
  /** Last lines of output. */
  output?: string;
}

/** While a turn runs: its last output, how long it has been going, and a button to end it. */
export function runningMessage(state: RunningState): MessageContent {
  const status = `⏳ ${state.activity} · ${formatElapsed(state.elapsedMs)}`;
  const blocks: KnownBlock[] = [];
  if (state.output !== undefined) blocks.push(section(codeBlock(state.output)));
  blocks.push(context(escapeMrkdwn(status)), {
    type: "actions",
    block_id: "turn",
    elements: [
      {
        type: "button",
        action_id: STOP_ACTION_ID,
        text: { type: "plain_text", text: "Stop" },
        value: state.threadKey,
        style: "danger",
      },
    ],
  });
  return { text: escapeMrkdwn(status), blocks };
}

export interface FinishedState {
  /** From `statusLine`: mrkdwn. */
  status: string;
  stdout: OutputView;
  stderr: OutputView;
  /** Sentences about what was left out or went wrong on the way: mrkdwn. */
  notes: readonly string[];
}

/** The result of a turn. */
export function finishedMessage(state: FinishedState): MessageContent {
  const blocks: KnownBlock[] = [];
  if (state.stdout.kind !== "empty") blocks.push(section(outputText(state.stdout)));
  if (state.stderr.kind !== "empty") {
    blocks.push(context("stderr"), section(outputText(state.stderr)));
  }
  if (blocks.length === 0) blocks.push(section("_(no output)_"));
  blocks.push(context(state.status), ...state.notes.map((note) => context(cut(note))));
  return { text: `${state.status}\n${summary(state)}`, blocks };
}

/**
 * A turn that did not come to a result: one sentence (mrkdwn) that says what happened and what now holds,
 * below what was printed until then.
 */
export function failedMessage(sentence: string, output?: string): MessageContent {
  const text = `⚠ ${cut(sentence)}`;
  const blocks: KnownBlock[] = [section(text)];
  if (output !== undefined) blocks.unshift(section(codeBlock(output)));
  return { text, blocks };
}

/** A turn that was stopped before it began: nothing but the status (mrkdwn). */
export function statusMessage(status: string): MessageContent {
  return { text: status, blocks: [context(status)] };
}

function outputText(view: Exclude<OutputView, { kind: "empty" }>): string {
  return view.kind === "text" ? codeBlock(view.text) : `_${view.note}_`;
}

function summary(state: FinishedState): string {
  const view = state.stdout.kind === "empty" ? state.stderr : state.stdout;
  if (view.kind === "empty") return "(no output)";
  if (view.kind === "binary") return view.note;
  const characters = Array.from(view.text);
  if (characters.length <= MAX_SUMMARY_LENGTH) return escapeMrkdwn(view.text);
  return `${escapeMrkdwn(characters.slice(0, MAX_SUMMARY_LENGTH).join(""))}…`;
}

function section(text: string): KnownBlock {
  return { type: "section", text: { type: "mrkdwn", text } };
}

function context(text: string): KnownBlock {
  return { type: "context", elements: [{ type: "mrkdwn", text }] };
}

function cut(text: string): string {
  return text.length <= MAX_NOTE_LENGTH ? text : `${text.slice(0, MAX_NOTE_LENGTH)}…`;
}
