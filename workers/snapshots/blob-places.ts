/** How the blobs that machines write into their host's folder get into the store, and back. */
export interface BlobPlaces {
  /** See that these blobs are in the host's folder. Throws `SnapshotError`. */
  bring(hashes: readonly string[]): Promise<void>;
  /** See that these blobs are in the store. Says their bytes. Throws `SnapshotError`. */
  keep(hashes: readonly string[]): Promise<number>;
}
