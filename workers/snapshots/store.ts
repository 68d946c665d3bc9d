/**
 * Where the states of threads stand between turns: immutable snapshots, each under the SHA-256 of its record.
 *
 * A snapshot is opaque here: whoever made it knows what the bytes mean. The store promises that what has an id is
 * whole and durable, and that what is loaded is what was saved. Which snapshot a thread is at, the queue knows.
 */
export interface SnapshotStore {
  /** The snapshot, with all blobs that it needs in this host's folder of blobs. Throws `SnapshotError`. */
  load(id: string): Promise<Snapshot>;
  /**
   * Keep a snapshot and its blobs. Durable when it resolves; whenever it throws `SnapshotError`, no earlier
   * snapshot has changed. What `from` has is not kept twice.
   */
  save(snapshot: Snapshot, from: Snapshot | undefined): Promise<StoredSnapshot>;
}

/** State of a sandbox after a turn. */
export interface Snapshot {
  /** Which base the bytes are a delta over. */
  base: string;
  data: Uint8Array;
  /** SHA-256 of each blob that the state needs besides `data`. */
  blobs: readonly string[];
  /** The snapshot that the turn started from; `null`: the base. */
  parent: string | null;
  /** The installation (one Redis) whose thread it is of. */
  owner: string;
  /** The turn whose effects this snapshot is the first to hold. */
  turnId: string;
}

export interface StoredSnapshot {
  id: string;
  /** Bytes that are kept for it and were not for the one before it. */
  storedBytes: number;
}

export type SnapshotErrorCode =
  /** It, or a blob that it needs, is not in the store. */
  | "SNAPSHOT_MISSING"
  /** What is stored is not what was saved. */
  | "SNAPSHOT_CORRUPT"
  /** Written by a version of Mom that this one does not know. */
  | "SNAPSHOT_VERSION"
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
