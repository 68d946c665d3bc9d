/**
 * Where the sandboxes of threads stand between turns.
 *
 * A snapshot is opaque here: whoever made it knows what the bytes mean. The store promises that a thread
 * always has its last whole snapshot or none, never half of one, and that what is loaded is what was saved.
 */
export interface SnapshotStore {
  /** The thread's snapshot, or `undefined` for a thread without one. Throws `SnapshotError`. */
  load(threadKey: string): Promise<Snapshot | undefined>;
  /**
   * Replace the thread's snapshot. `over` is the turn of the one that it was made from, `undefined` for a new
   * thread: when another stands there by now, this one came too late (`SNAPSHOT_STALE`). Whenever it throws
   * `SnapshotError`, the earlier one still stands.
   */
  save(threadKey: string, snapshot: Snapshot, over: string | undefined): Promise<void>;
}

/** State of a sandbox after a turn. */
export interface Snapshot {
  /** Which base the bytes are a delta over. */
  base: string;
  data: Uint8Array;
  /** The turn whose effects this snapshot is the first to hold. */
  turnId: string;
}

export type SnapshotErrorCode =
  /** The file ends before the length its header gives. */
  | "SNAPSHOT_TRUNCATED"
  /** Content and checksum differ. */
  | "SNAPSHOT_CORRUPT"
  /** Not a snapshot, or one of another thread. */
  | "SNAPSHOT_FOREIGN"
  /** Written by a version of Mom that this one does not know. */
  | "SNAPSHOT_VERSION"
  /** Another worker has saved the thread since this one loaded it. */
  | "SNAPSHOT_STALE"
  /** No room (ENOSPC, EDQUOT) or too many files. */
  | "STORE_FULL"
  /** The store could not be read or written for another reason, kept as `cause`. */
  | "STORE_FAILED";

export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly code: SnapshotErrorCode;

  constructor(code: SnapshotErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
