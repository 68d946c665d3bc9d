import type { TurnOutcome, TurnStatus } from "../src/queue/index.ts";
import type { ExecResult } from "./machine/result.ts";
import { finishedMessage, type MessageContent, OUTPUT_LIMITS } from "./slack/message.ts";
import { type OutputView, viewOutput } from "./slack/output-view.ts";
import { type OutcomeContext, statusLine } from "./slack/status-line.ts";
import type { Upload } from "./slack/upload.ts";

/** A command's result, ready to be shown: the message, and the output that does not fit into it. */
export interface ShownResult {
  /** The message with these notes below it (mrkdwn). */
  message(notes: readonly string[]): MessageContent;
  /** The same without the output, should Slack refuse it. */
  plainMessage(note: string): MessageContent;
  /** Whole streams of which the message shows a part. */
  attachments: Upload[];
}

export function showResult(result: ExecResult, context: OutcomeContext): ShownResult {
  const status = statusLine(result, context);
  const stdout = viewOutput(result.stdout, OUTPUT_LIMITS);
  const stderr = viewOutput(result.stderr, OUTPUT_LIMITS);
  const nothing: OutputView = { kind: "empty" };
  return {
    message: (notes) => finishedMessage({ status, stdout, stderr, notes }),
    plainMessage: (note) =>
      finishedMessage({ status, stdout: nothing, stderr: nothing, notes: [note] }),
    attachments: [
      ...attachment("output", stdout, result.stdout),
      ...attachment("stderr", stderr, result.stderr),
    ],
  };
}

export function outcomeOf(result: ExecResult): TurnOutcome {
  return {
    status: statusOf(result),
    exitCode: result.exitCode,
    durationMs: Math.round(result.durationMs),
    outputBytes: result.stdout.length + result.stderr.length,
  };
}

function statusOf(result: ExecResult): TurnStatus {
  if (result.isCanceled) return "canceled";
  if (result.timedOut) return "timed-out";
  return result.isMaxBuffer ? "output-limit" : "done";
}

function attachment(stem: string, view: OutputView, bytes: Uint8Array): Upload[] {
  if (view.kind === "empty" || (view.kind === "text" && view.isWhole)) return [];
  const name = view.kind === "binary" ? `${stem}.bin` : `${stem}.txt`;
  return [{ name, size: bytes.length, read: async () => bytes }];
}
