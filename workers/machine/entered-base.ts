import type { SandboxState } from "./api.ts";
import { baseBlobs } from "./base-file.ts";
import type { RandomSource } from "./kernel-random.ts";
import type { LayeredBlobs } from "./layered-blobs.ts";
import { BaseMemory, DeltaMemory } from "./memory.ts";
import type { OpenBase } from "./open-base.ts";
import { PagePacks } from "./page-packs.ts";
import { RememberedPages } from "./remembered-pages.ts";
import { otherBase, packSnapshot, type Sandbox, unpackSnapshot } from "./sandbox.ts";

/** A snapshot is waited for. */
const COMPRESSION_LEVEL = 1;

/** The base that a machine's sandboxes are a difference to, and where the pages of the one in the machine are stored. */
export class EnteredBase {
  readonly id: string;
  readonly memory: DeltaMemory;
  /** What a new thread is. */
  readonly sandbox: Sandbox;
  readonly random: RandomSource | undefined;
  readonly #blobs: LayeredBlobs;
  readonly #packs: PagePacks;

  constructor({ id, sandbox, pages, folder, random }: OpenBase, blobs: LayeredBlobs) {
    blobs.lay(baseBlobs(folder), sandbox.overlay?.blobs ?? []);
    const remembered = new RememberedPages(pages);
    this.id = id;
    this.memory = new DeltaMemory(new BaseMemory(remembered));
    this.sandbox = sandbox;
    this.random = random;
    this.#blobs = blobs;
    this.#packs = new PagePacks(blobs, remembered);
  }

  /** Store the pages of the sandbox that is in the machine. Throws the store's error. */
  pack(sandbox: Sandbox): SandboxState {
    const { data, blobs } = packSnapshot(sandbox, this.#packs, COMPRESSION_LEVEL);
    return { base: this.id, data, blobs: blobs.filter((hash) => !this.#blobs.isOfBase(hash)) };
  }

  /** @throws MachineError BAD_STATE: damaged, with parts missing, or over another base or memory size. */
  unpack(state: SandboxState, memoryBytes: number): Sandbox {
    if (state.base !== this.id) throw otherBase(state.base, this.id);
    this.forget();
    return unpackSnapshot(state.data, this.#packs, this.id, memoryBytes);
  }

  /** It is not known what is in the machine, or it is the base. */
  forget(): void {
    this.#packs.forget();
  }
}
