/**
 * - `REDIS_UNREACHABLE`: nothing was written, or it is not known whether it was: try again.
 * - `MAILBOX_FULL`: the thread has too many turns waiting.
 * - `TOO_MANY_PORTS`: the thread has as many exposed ports as it may.
 * - `UNUSED_THREAD`: the thread has no computer yet.
 * - `HELD`: another worker holds the thread and is about to let it go: try again.
 */
export type QueueErrorCode =
  | "REDIS_UNREACHABLE"
  | "MAILBOX_FULL"
  | "TOO_MANY_PORTS"
  | "UNUSED_THREAD"
  | "HELD";

export class QueueError extends Error {
  override readonly name = "QueueError";
  readonly code: QueueErrorCode;

  constructor(code: QueueErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Why a running turn's signal was aborted: `signal.reason` is one of these.
 *
 * - `STOPPED`: a person asked for it (`userId`). End the command, post what there is, return an outcome.
 * - `CLOSING`: this worker is going away. End the command, post nothing, throw: the turn runs again elsewhere.
 * - `LOST`: another worker has the turn (this one was too slow). End the command, post nothing, throw.
 */
export type TurnAbortCode = "STOPPED" | "CLOSING" | "LOST";

export class TurnAborted extends Error {
  override readonly name = "TurnAborted";
  readonly code: TurnAbortCode;
  /** Who stopped the turn; only with `STOPPED`. */
  readonly userId: string | undefined;

  constructor(code: TurnAbortCode, message: string, userId?: string) {
    super(message);
    this.code = code;
    this.userId = userId;
  }
}
