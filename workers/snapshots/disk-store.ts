import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeRecord, encodeRecord } from "./record.ts";
import { replaceFile } from "./replace-file.ts";
import { type Snapshot, SnapshotError, type SnapshotStore } from "./store.ts";

/**
 * Snapshots as files, one folder a thread: `<root>/<first two digits>/<SHA-256 of the key>/head.snapshot`.
 *
 * The hash makes any key a safe name of fixed length; the key itself stands in the record and is checked.
 * For one host: workers on several hosts need a store that they share.
 *
 * @example
 * const store = new DiskSnapshotStore(join(dataDir, "threads"));
 */
export class DiskSnapshotStore implements SnapshotStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async load(threadKey: string): Promise<Snapshot | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.pathOf(threadKey));
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw new SnapshotError(
        "STORE_FAILED",
        `The saved computer of this thread cannot be read (${errnoOf(cause)}).`,
        { cause },
      );
    }
    return decodeRecord(threadKey, bytes);
  }

  /** The queue lets one worker at a time have a thread: the check is for one that was frozen meanwhile. */
  async save(threadKey: string, snapshot: Snapshot, over: string | undefined): Promise<void> {
    const current = await this.load(threadKey);
    if (current?.turnId !== over) {
      throw new SnapshotError(
        "SNAPSHOT_STALE",
        "Another worker has gone on with this thread in the meantime.",
      );
    }
    try {
      await replaceFile(this.pathOf(threadKey), encodeRecord(threadKey, snapshot));
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === "ENOSPC" || errno === "EDQUOT") {
        throw new SnapshotError("STORE_FULL", `The disk of the computers is full (${errno}).`, {
          cause,
        });
      }
      throw new SnapshotError("STORE_FAILED", `The computer cannot be saved (${errno}).`, {
        cause,
      });
    }
  }

  /** Where a thread's snapshot lies, for people who look after the disk and for tests. */
  pathOf(threadKey: string): string {
    const name = createHash("sha256").update(threadKey).digest("hex");
    return join(this.#root, name.slice(0, 2), name, "head.snapshot");
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
