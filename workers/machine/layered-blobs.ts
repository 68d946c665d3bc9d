import type { BlobStore } from "../ninep/blob-store.ts";

/** The blobs of sandboxes over those of their base, which stand in the base's own folder and are not put again. */
export class LayeredBlobs implements BlobStore {
  readonly #own: BlobStore;
  #base: BlobStore | undefined;
  #baseHashes: ReadonlySet<string> = new Set();

  constructor(own: BlobStore) {
    this.#own = own;
  }

  /** The base is opened: it has these. */
  lay(base: BlobStore, hashes: readonly string[]): void {
    this.#base = base;
    this.#baseHashes = new Set(hashes);
  }

  get(hash: string): Uint8Array {
    return (this.isOfBase(hash) && this.#base ? this.#base : this.#own).get(hash);
  }

  put(hash: string, bytes: Uint8Array): void {
    if (!this.isOfBase(hash)) this.#own.put(hash, bytes);
  }

  isOfBase(hash: string): boolean {
    return this.#baseHashes.has(hash);
  }
}
