import { TurnAborted } from "./errors.ts";
import type { StartedTurn } from "./mailbox.ts";

/** A turn that runs in this process. */
export interface RunningTurn {
  started: StartedTurn;
  startedAtMs: number;
  stoppedBy: string | undefined;
  abort: AbortController;
}

export function stop(running: RunningTurn, userId: string): void {
  running.stoppedBy = userId;
  running.abort.abort(new TurnAborted("STOPPED", `Stopped by ${userId}.`, userId));
}

/** Why its signal was aborted, if it was. */
export function abortCode(signal: AbortSignal) {
  const reason: unknown = signal.reason;
  return reason instanceof TurnAborted ? reason.code : undefined;
}
