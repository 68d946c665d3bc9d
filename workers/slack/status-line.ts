import { formatBytes, formatDuration } from "./quantities.ts";

/** What of a turn's outcome the status line tells; the fields of the machine's result. */
export interface Outcome {
  exitCode: number | null;
  signal: string | null;
  durationMs: number;
  timedOut: boolean;
  isCanceled: boolean;
  isMaxBuffer: boolean;
}

export interface OutcomeContext {
  timeoutMs: number;
  maxOutputBytes: number;
  /** Slack user who pressed Stop. */
  stoppedBy?: string;
}

/**
 * How a turn ended, in one line.
 *
 * @example
 * statusLine({ exitCode: 3, durationMs: 400, … }, limits); // "✗ exit 3 · 0.4 s"
 */
export function statusLine(outcome: Outcome, context: OutcomeContext): string {
  const took = formatDuration(outcome.durationMs);
  if (outcome.isCanceled) {
    const who = context.stoppedBy === undefined ? "" : ` by <@${context.stoppedBy}>`;
    return `■ stopped${who} · ${took}`;
  }
  if (outcome.timedOut) return `⏱ stopped after ${formatLimit(context.timeoutMs)} (time limit)`;
  if (outcome.isMaxBuffer) {
    return `✂ stopped at ${formatBytes(context.maxOutputBytes)} of output (limit) · ${took}`;
  }
  if (outcome.signal !== null) return `✗ ${killedBy(outcome.signal)} · ${took}`;
  if (outcome.exitCode === 0) return `✓ exit 0 · ${took}`;
  const signal = signalOfStatus(outcome.exitCode);
  const reason = signal === undefined ? "" : ` (${killedBy(signal)})`;
  return `✗ exit ${outcome.exitCode ?? "unknown"}${reason} · ${took}`;
}

function killedBy(signal: string): string {
  return signal === "SIGKILL" ? "killed by SIGKILL, out of memory?" : `killed by ${signal}`;
}

/** Limits are set in seconds: they are told as they are set. */
function formatLimit(timeoutMs: number): string {
  const seconds = timeoutMs / 1000;
  return Number.isInteger(seconds) ? `${seconds} s` : formatDuration(timeoutMs);
}

/** Shells report a child that a signal ended as 128 plus the signal's number (POSIX, 2.8.2). */
const SIGNALS: ReadonlyMap<number, string> = new Map([
  [4, "SIGILL"],
  [6, "SIGABRT"],
  [7, "SIGBUS"],
  [8, "SIGFPE"],
  [9, "SIGKILL"],
  [11, "SIGSEGV"],
  [13, "SIGPIPE"],
  [15, "SIGTERM"],
]);

function signalOfStatus(exitCode: number | null): string | undefined {
  return exitCode === null ? undefined : SIGNALS.get(exitCode - 128);
}
