import type { BlobPlaces } from "./blob-places.ts";
import { isHash, type ObjectStore, snapshotName } from "./objects.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import { type Snapshot, SnapshotError, type SnapshotStore, type StoredSnapshot } from "./store.ts";

/**
 * Snapshots as objects of a store. The blobs go first and the record last: what has a record is whole.
 *
 * @example
 * const objects = new DiskObjects(dataDir);
 * const store = new Snapshots(objects, new SharedBlobs(objects));
 */
export class Snapshots implements SnapshotStore {
  readonly #objects: ObjectStore;
  readonly #blobs: BlobPlaces;

  constructor(objects: ObjectStore, blobs: BlobPlaces) {
    this.#objects = objects;
    this.#blobs = blobs;
  }

  async load(id: string): Promise<Snapshot> {
    const bytes = isHash(id) ? await this.#objects.get(snapshotName(id)) : undefined;
    if (!bytes) {
      throw new SnapshotError(
        "SNAPSHOT_MISSING",
        "The saved computer of this thread is not in the store any more.",
      );
    }
    const snapshot = decodeRecord(id, bytes);
    await this.#blobs.bring(snapshot.blobs);
    return snapshot;
  }

  async save(snapshot: Snapshot, from: Snapshot | undefined): Promise<StoredSnapshot> {
    // What the earlier snapshot needs is in the store for as long as it is.
    const known = new Set(from?.blobs);
    const blobBytes = await this.#blobs.keep(snapshot.blobs.filter((hash) => !known.has(hash)));
    const { id, bytes } = encodeRecord(snapshot);
    await this.#objects.put(snapshotName(id), bytes);
    return { id, storedBytes: blobBytes + bytes.length };
  }
}
