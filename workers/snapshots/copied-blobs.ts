import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import type { BlobPlaces } from "./blob-places.ts";
import type { DiskObjects } from "./disk-objects.ts";
import { blobName, type ObjectStore } from "./objects.ts";
import { SnapshotError } from "./store.ts";

/** No blob is that large: more means a damaged object, and memory is not spent on it. */
const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/**
 * The host's folder of blobs is a copy of a part of the store's: what a snapshot needs is brought before it is
 * loaded, and what machines wrote is sent after it was saved.
 */
export class CopiedBlobs implements BlobPlaces {
  readonly #host: DiskObjects;
  readonly #store: ObjectStore;
  readonly #youngMs: number;
  readonly #now: () => number;

  /** @param youngMs a blob that was put so lately is not put again: less than the collector's grace. */
  constructor(host: DiskObjects, store: ObjectStore, youngMs: number, now: () => number) {
    this.#host = host;
    this.#store = store;
    this.#youngMs = youngMs;
    this.#now = now;
  }

  async bring(hashes: readonly string[]): Promise<void> {
    for (const hash of hashes) {
      const name = blobName(hash);
      if (await this.#host.touch(name)) continue;
      const bytes = await this.#store.get(name);
      if (!bytes) throw missing();
      check(hash, bytes);
      await this.#host.put(name, bytes);
    }
  }

  async keep(hashes: readonly string[]): Promise<number> {
    let sent = 0;
    for (const hash of hashes) {
      const name = blobName(hash);
      const found = await this.#store.find(name);
      if (found && this.#now() - found.putAtMs < this.#youngMs) continue;
      const bytes = await this.#host.get(name);
      if (!bytes) throw missing();
      await this.#store.put(name, bytes);
      sent += bytes.length;
    }
    return sent;
  }
}

function missing(): SnapshotError {
  return new SnapshotError(
    "SNAPSHOT_MISSING",
    "A part of this thread's saved computer is not in the store any more.",
  );
}

function check(hash: string, compressed: Uint8Array): void {
  let found: string;
  try {
    const bytes = zstdDecompressSync(compressed, { maxOutputLength: MAX_BLOB_BYTES });
    found = createHash("sha256").update(bytes).digest("hex");
  } catch (cause) {
    throw new SnapshotError("SNAPSHOT_CORRUPT", DAMAGED, { cause });
  }
  if (found !== hash) throw new SnapshotError("SNAPSHOT_CORRUPT", DAMAGED);
}

const DAMAGED = "A part of this thread's saved computer is damaged: it is not what was saved.";
