import type { HeadMove } from "./lineage.ts";
import type { ThreadStep, Turn, TurnLanguage } from "./turn.ts";

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
  /** Where the thread's head goes, in the step that closes the turn; what it names is durable by now. */
  move?: HeadMove;
  /** Bytes that the store has more for it. */
  storedBytes?: number;
}

/** One line of a thread's journal: who ran what, when, where, and what it came to. */
export interface JournalEntry extends Omit<TurnOutcome, "move"> {
  turnId: string;
  userId: string;
  messageTs: string;
  /** Its first 2,000 characters. */
  command: string;
  language: TurnLanguage;
  /** For a turn that was a step in the thread's history. */
  step?: ThreadStep;
  receivedAtMs: number;
  /** `null` for a turn that was withdrawn before it started. */
  startedAtMs: number | null;
  finishedAtMs: number;
  workerId: string | null;
  /** 1 for a turn that ran once. */
  attempt: number;
  /** Who stopped it. */
  stoppedBy?: string;
  /** The thread's state before and after: ids of snapshots, `null` for the base. */
  snapshotBefore?: string | null;
  snapshotAfter?: string | null;
  /** The thread that a fork began. */
  forkedTo?: string;
}

const JOURNAL_COMMAND_LENGTH = 2_000;

type RunFields =
  | "startedAtMs"
  | "finishedAtMs"
  | "workerId"
  | "attempt"
  | "stoppedBy"
  | "snapshotBefore"
  | "snapshotAfter";

export function journalEntry(
  turn: Turn,
  { move, ...outcome }: TurnOutcome,
  run: Pick<JournalEntry, RunFields>,
): JournalEntry {
  return {
    turnId: turn.id,
    userId: turn.userId,
    messageTs: turn.messageTs,
    command: turn.command.slice(0, JOURNAL_COMMAND_LENGTH),
    language: turn.language,
    ...(turn.step ? { step: turn.step } : {}),
    receivedAtMs: turn.receivedAtMs,
    ...run,
    ...outcome,
    ...(move?.kind === "fork" ? { forkedTo: move.threadKey } : {}),
  };
}
