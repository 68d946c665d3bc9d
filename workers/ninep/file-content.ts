import { BLOCK_BYTES, Block, type BlockPool } from "./blocks.ts";
import type { ImageTree } from "./image-tree.ts";

/** Space is counted as ext4 would: in pages of 4 KiB that hold something. */
const CHARGE_BYTES = 4096;

/** What a file's contents rest on: the pool that keeps changed blocks, and the image below. */
export interface ContentLayers {
  image: ImageTree;
  blocks: BlockPool;
}

/**
 * The bytes of one upper file: blocks where they were written, the image's file where they were not, zeros
 * elsewhere. So one byte written into a large file of the image costs one block, and a hole costs nothing.
 */
export class FileContent {
  size: number;
  /** The image's file shows through below this offset; 0 for a file that is not from the image. */
  lowerSize: number;
  /** Bytes charged for the blocks. */
  allocatedBytes = 0;
  readonly #ino: number;
  readonly #layers: ContentLayers;
  readonly #blocks = new Map<number, Block>();

  constructor(layers: ContentLayers, ino: number, lowerSize: number) {
    this.#layers = layers;
    this.#ino = ino;
    this.size = lowerSize;
    this.lowerSize = lowerSize;
  }

  /** How much `into` got; 0 at or behind the end. */
  read(offset: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.size - offset));
    let done = 0;
    while (done < count) {
      const at = offset + done;
      const index = Math.floor(at / BLOCK_BYTES);
      const inBlock = at - index * BLOCK_BYTES;
      const part = into.subarray(done, done + Math.min(count - done, BLOCK_BYTES - inBlock));
      const block = this.#blocks.get(index);
      if (block === undefined) this.#readLower(at, part);
      else {
        const held = Math.max(0, Math.min(part.length, block.length - inBlock));
        if (held > 0) this.#layers.blocks.read(block, inBlock, part.subarray(0, held));
        part.fill(0, held);
      }
      done += part.length;
    }
    return count;
  }

  /** Bytes by which the file's charge would grow, for the quota. */
  growth(offset: number, length: number): number {
    let growth = 0;
    this.#eachBlock(offset, length, (index, _start, end) => {
      const block = this.#blocks.get(index);
      const before = block?.length ?? 0;
      growth += charge(Math.max(end, before, block ? 0 : this.#lowerBytes(index))) - charge(before);
    });
    return growth;
  }

  /** All of `data` is written, or nothing and an error is thrown. */
  write(offset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    const created: Block[] = [];
    const targets: { block: Block; index: number; start: number; end: number }[] = [];
    // First all that can fail, then the change itself.
    try {
      this.#eachBlock(offset, data.length, (index, start, end) => {
        const block = this.#blocks.get(index) ?? new Block();
        if (!this.#blocks.has(index)) {
          created.push(block);
          this.#fillFromLower(block, index, start, end);
        }
        this.#layers.blocks.makeWritable(block, end);
        targets.push({ block, index, start, end });
      });
    } catch (error) {
      for (const block of created) this.#layers.blocks.free(block);
      throw error;
    }

    let done = 0;
    for (const { block, index, start, end } of targets) {
      const known = this.#blocks.has(index);
      const before = known ? charge(block.length) : 0;
      if (start > block.length) block.data?.fill(0, block.length, start);
      block.data?.set(data.subarray(done, done + end - start), start);
      block.length = Math.max(block.length, end);
      this.#blocks.set(index, block);
      this.allocatedBytes += charge(block.length) - before;
      done += end - start;
    }
    this.size = Math.max(this.size, offset + data.length);
  }

  /** Never fails: what is cut off is forgotten, and what is added is a hole. */
  truncate(size: number): void {
    if (size < this.size) {
      this.lowerSize = Math.min(this.lowerSize, size);
      for (const [index, block] of this.#blocks) {
        const kept = size - index * BLOCK_BYTES;
        if (kept >= block.length) continue;
        this.allocatedBytes -= charge(block.length) - charge(Math.max(kept, 0));
        if (kept > 0) block.length = kept;
        else {
          this.#blocks.delete(index);
          this.#layers.blocks.free(block);
        }
      }
    }
    this.size = size;
  }

  /** Gives its blocks back; the file is gone. */
  free(): void {
    for (const block of this.#blocks.values()) this.#layers.blocks.free(block);
    this.#blocks.clear();
    this.allocatedBytes = 0;
  }

  /** In units of 512 bytes, as stat(2) shows; what lies in the image counts too. */
  get sectors(): number {
    let bytes = this.allocatedBytes;
    if (this.lowerSize > 0) {
      bytes += charge(this.lowerSize);
      for (let index = 0; index * BLOCK_BYTES < this.lowerSize; index++) {
        if (this.#blocks.has(index)) bytes -= charge(this.#lowerBytes(index));
      }
    }
    return Math.max(0, bytes) / 512;
  }

  blocks(): Iterable<[index: number, block: Block]> {
    return this.#blocks;
  }

  /** For a file that is loaded. */
  restoreBlock(index: number, block: Block): void {
    this.#blocks.set(index, block);
    this.allocatedBytes += charge(block.length);
  }

  #eachBlock(
    offset: number,
    length: number,
    visit: (index: number, start: number, end: number) => void,
  ): void {
    const last = offset + length;
    for (let at = offset; at < last; ) {
      const index = Math.floor(at / BLOCK_BYTES);
      const first = index * BLOCK_BYTES;
      const end = Math.min(last - first, BLOCK_BYTES);
      visit(index, at - first, end);
      at = first + end;
    }
  }

  /** How many bytes of a block the image has. */
  #lowerBytes(index: number): number {
    return Math.max(0, Math.min(BLOCK_BYTES, this.lowerSize - index * BLOCK_BYTES));
  }

  /** A new block begins as what the image has there, unless all of that is about to be written over. */
  #fillFromLower(block: Block, index: number, start: number, end: number): void {
    const bytes = this.#lowerBytes(index);
    if (bytes === 0 || (start === 0 && end >= bytes)) return;
    const data = this.#layers.blocks.makeWritable(block, Math.max(bytes, end));
    this.#layers.image.read(this.#ino, index * BLOCK_BYTES, data.subarray(0, bytes));
    block.length = bytes;
  }

  #readLower(at: number, part: Uint8Array): void {
    const shown = Math.max(0, Math.min(part.length, this.lowerSize - at));
    if (shown > 0) this.#layers.image.read(this.#ino, at, part.subarray(0, shown));
    part.fill(0, shown);
  }
}

function charge(bytes: number): number {
  return Math.ceil(bytes / CHARGE_BYTES) * CHARGE_BYTES;
}
