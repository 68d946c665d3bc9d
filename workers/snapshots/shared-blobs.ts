import type { BlobPlaces } from "./blob-places.ts";
import type { DiskObjects } from "./disk-objects.ts";
import { blobName } from "./objects.ts";
import { SnapshotError } from "./store.ts";

/** The host's folder of blobs is the store's: machines read and write it themselves, durably. */
export class SharedBlobs implements BlobPlaces {
  readonly #objects: DiskObjects;

  constructor(objects: DiskObjects) {
    this.#objects = objects;
  }

  async bring(hashes: readonly string[]): Promise<void> {
    await this.#bytesOf(hashes);
  }

  async keep(hashes: readonly string[]): Promise<number> {
    const bytes = await this.#bytesOf(hashes);
    await this.#objects.settle(hashes.map(blobName));
    return bytes;
  }

  async #bytesOf(hashes: readonly string[]): Promise<number> {
    let bytes = 0;
    for (const hash of hashes) {
      const blob = await this.#objects.find(blobName(hash));
      if (!blob) {
        throw new SnapshotError(
          "SNAPSHOT_MISSING",
          "A part of this thread's saved computer is not in the store any more.",
        );
      }
      bytes += blob.bytes;
    }
    return bytes;
  }
}
