import type { Turn, TurnLanguage } from "./turn.ts";

/**
 * How a turn ended, as the journal keeps it.
 * - `done`: the command exited by itself, whatever its exit status.
 * - `timed-out`, `canceled`, `output-limit`: Mom ended it.
 * - `failed`: no command ran to an end, since the machine or its start failed; `error` says why.
 * - `abandoned`: the turn was started too often without ever coming to an end.
 */
export type TurnStatus =
  | "done"
  | "timed-out"
  | "canceled"
  | "output-limit"
  | "failed"
  | "abandoned";

/** What the worker's handler hands back. A turn with an outcome is over and never runs again. */
export interface TurnOutcome {
  status: TurnStatus;
  exitCode: number | null;
  durationMs: number;
  /** Standard output and standard error together. */
  outputBytes: number;
  /** A sentence, for `failed` and `abandoned`. */
  error?: string;
}

/** One line of a thread's journal: who ran what, when, where, and what it came to. */
export interface JournalEntry extends TurnOutcome {
  turnId: string;
  userId: string;
  messageTs: string;
  /** Its first 2,000 characters. */
  command: string;
  language: TurnLanguage;
  receivedAtMs: number;
  /** `null` for a turn that was withdrawn before it started. */
  startedAtMs: number | null;
  finishedAtMs: number;
  workerId: string | null;
  /** 1 for a turn that ran once. */
  attempt: number;
  /** Who stopped it. */
  stoppedBy?: string;
}

const JOURNAL_COMMAND_LENGTH = 2_000;

export function journalEntry(
  turn: Turn,
  outcome: TurnOutcome,
  run: Pick<JournalEntry, "startedAtMs" | "finishedAtMs" | "workerId" | "attempt" | "stoppedBy">,
): JournalEntry {
  return {
    turnId: turn.id,
    userId: turn.userId,
    messageTs: turn.messageTs,
    command: turn.command.slice(0, JOURNAL_COMMAND_LENGTH),
    language: turn.language,
    receivedAtMs: turn.receivedAtMs,
    ...run,
    ...outcome,
  };
}
