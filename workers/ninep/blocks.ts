import { hash } from "node:crypto";
import type { BlobStore } from "./blob-store.ts";
import { NinePError } from "./errno.ts";
import { ScratchFile } from "./scratch-file.ts";

export const BLOCK_BYTES = 64 * 1024;

/** Blocks are stored together, so that ten thousand small files are not ten thousand blobs. */
const PACK_BYTES = 1024 * 1024;
const SMALLEST_BUFFER_BYTES = 512;
/** One write touches nine blocks at most; they must all fit into memory. */
const MIN_MEMORY_BYTES = 16 * BLOCK_BYTES;

/**
 * Up to 64 KiB of one file. Its bytes are in exactly one place: in memory (`data`), in the scratch file (`slot`), or
 * in a blob (`pack`). Bytes from `length` on are zero.
 */
export class Block {
  length = 0;
  data: Uint8Array | undefined = undefined;
  slot = -1;
  pack = "";
  packOffset = 0;
}

/** A block that is in a blob: SHA-256 of the blob, offset and length in it. */
export interface BlockReference {
  pack: string;
  offset: number;
  length: number;
}

export interface BlockPoolOptions {
  store: BlobStore;
  /** Folder of the scratch file that changed blocks spill into. */
  scratchFolder: string;
  /** Memory for changed blocks. */
  memoryBytes?: number;
  /** Memory for blobs that were read or written lately. */
  cacheBytes?: number;
}

/** The contents of the upper layer's files; one pool for each overlay, which empties it when it is loaded. */
export class BlockPool {
  readonly #store: BlobStore;
  readonly #scratch: ScratchFile;
  readonly #maxMemoryBytes: number;
  readonly #maxCacheBytes: number;
  /** Changed since they were last sealed; in memory or spilled. */
  readonly #dirty = new Set<Block>();
  /** Those of them that are in memory, the one changed longest ago first. */
  readonly #inMemory = new Set<Block>();
  #memoryBytes = 0;
  /** Blobs by hash, the one used longest ago first. */
  readonly #cache = new Map<string, Uint8Array>();
  #cacheBytes = 0;

  constructor(options: BlockPoolOptions) {
    this.#store = options.store;
    this.#scratch = new ScratchFile(options.scratchFolder, BLOCK_BYTES);
    this.#maxMemoryBytes = Math.max(options.memoryBytes ?? 64 * 1024 * 1024, MIN_MEMORY_BYTES);
    this.#maxCacheBytes = options.cacheBytes ?? 32 * 1024 * 1024;
  }

  /** For tests and figures. */
  get statistics() {
    return {
      dirtyBlocks: this.#dirty.size,
      memoryBytes: this.#memoryBytes,
      cacheBytes: this.#cacheBytes,
    };
  }

  /**
   * Brings the block into memory with room for `bytes`, to be changed there. Its contents stay the same; nothing has
   * changed when this throws.
   */
  makeWritable(block: Block, bytes: number): Uint8Array {
    const capacity = block.data?.length ?? 0;
    if (block.data !== undefined && capacity >= bytes) {
      // Last in the order of spilling.
      this.#inMemory.delete(block);
      this.#inMemory.add(block);
      return block.data;
    }
    const data = new Uint8Array(capacityFor(Math.max(bytes, block.length)));
    if (block.length > 0) this.read(block, 0, data.subarray(0, block.length));
    // The block itself must not be spilled to make room for it.
    const wasInMemory = this.#inMemory.delete(block);
    try {
      this.#makeRoom(data.length - capacity);
    } catch (error) {
      if (wasInMemory) this.#inMemory.add(block);
      throw error;
    }
    this.#leavePlace(block);
    block.data = data;
    this.#memoryBytes += data.length;
    this.#inMemory.add(block);
    this.#dirty.add(block);
    return data;
  }

  /** Fills `into` with the block's bytes from `offset` on; all must lie below `block.length`. */
  read(block: Block, offset: number, into: Uint8Array): void {
    if (block.data !== undefined) into.set(block.data.subarray(offset, offset + into.length));
    else if (block.slot >= 0) this.#scratch.read(block.slot, offset, into);
    else {
      const at = block.packOffset + offset;
      into.set(this.#readPack(block.pack).subarray(at, at + into.length));
    }
  }

  /** The block's file has let go of it. */
  free(block: Block): void {
    this.#leavePlace(block);
    this.#inMemory.delete(block);
    this.#dirty.delete(block);
  }

  /** Puts all changed blocks into the store. What was put stays put when a later one fails. */
  seal(): void {
    let batch: Block[] = [];
    let bytes = 0;
    for (const block of this.#dirty) {
      if (bytes + block.length > PACK_BYTES) {
        this.#sealPack(batch, bytes);
        batch = [];
        bytes = 0;
      }
      batch.push(block);
      bytes += block.length;
    }
    this.#sealPack(batch, bytes);
  }

  /** Where a sealed block is. */
  reference(block: Block): BlockReference {
    return { pack: block.pack, offset: block.packOffset, length: block.length };
  }

  /** A block of a saved file. Its blob is read when the block is. */
  restore({ pack, offset, length }: BlockReference): Block {
    const block = new Block();
    block.pack = pack;
    block.packOffset = offset;
    block.length = length;
    return block;
  }

  /** Forgets all changed blocks at once; the files they belong to are gone. */
  clear(): void {
    this.#dirty.clear();
    this.#inMemory.clear();
    this.#memoryBytes = 0;
    this.#scratch.clear();
  }

  close(): void {
    this.clear();
    this.#cache.clear();
    this.#cacheBytes = 0;
    this.#scratch.close();
  }

  #sealPack(blocks: Block[], bytes: number): void {
    if (blocks.length === 0) return;
    const pack = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const block of blocks) {
      this.read(block, 0, pack.subarray(at, at + block.length));
      at += block.length;
    }
    const name = hash("sha256", pack, "hex");
    this.#store.put(name, pack);
    this.#remember(name, pack);
    at = 0;
    for (const block of blocks) {
      this.free(block);
      block.pack = name;
      block.packOffset = at;
      at += block.length;
    }
  }

  #leavePlace(block: Block): void {
    if (block.data !== undefined) {
      this.#memoryBytes -= block.data.length;
      block.data = undefined;
    } else if (block.slot >= 0) {
      this.#scratch.release(block.slot);
      block.slot = -1;
    }
    block.pack = "";
  }

  #makeRoom(bytes: number): void {
    for (const block of this.#inMemory) {
      if (this.#memoryBytes + bytes <= this.#maxMemoryBytes) return;
      if (block.data === undefined) continue;
      const slot = this.#scratch.store(block.data.subarray(0, block.length));
      this.#memoryBytes -= block.data.length;
      block.data = undefined;
      block.slot = slot;
      this.#inMemory.delete(block);
    }
  }

  #readPack(name: string): Uint8Array {
    const known = this.#cache.get(name);
    if (known !== undefined) {
      this.#cache.delete(name);
      this.#cache.set(name, known);
      return known;
    }
    const pack = this.#store.get(name);
    if (hash("sha256", pack, "hex") !== name) {
      throw new NinePError("EIO", `blob ${name} does not have the bytes it is named after`);
    }
    this.#remember(name, pack);
    return pack;
  }

  #remember(name: string, pack: Uint8Array): void {
    if (this.#cache.has(name)) return;
    this.#cache.set(name, pack);
    this.#cacheBytes += pack.length;
    for (const [oldest, bytes] of this.#cache) {
      if (this.#cacheBytes <= this.#maxCacheBytes) break;
      this.#cache.delete(oldest);
      this.#cacheBytes -= bytes.length;
    }
  }
}

function capacityFor(bytes: number): number {
  let capacity = SMALLEST_BUFFER_BYTES;
  while (capacity < bytes) capacity *= 2;
  return capacity;
}
