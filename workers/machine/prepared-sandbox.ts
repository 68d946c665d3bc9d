import type { BlobStore } from "../ninep/blob-store.ts";
import type { SandboxState } from "./api.ts";

/**
 * A saved sandbox that new threads begin with. No thread refers to its blobs before one is saved, so a collector may take them
 * meanwhile: their contents stay here, and are put again for each thread that begins.
 */
export class PreparedSandbox {
  readonly state: SandboxState;
  readonly #contents: ReadonlyMap<string, Uint8Array>;

  constructor(state: SandboxState, store: BlobStore) {
    this.state = state;
    this.#contents = new Map(state.blobs.map((hash) => [hash, store.get(hash)]));
  }

  /** Put its blobs into the store; false where that has no room for them. */
  keepIn(store: BlobStore): boolean {
    try {
      for (const [hash, bytes] of this.#contents) store.put(hash, bytes);
      return true;
    } catch {
      return false;
    }
  }
}
