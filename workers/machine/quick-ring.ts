import type { BufferChain, Cpu, VirtQueue } from "./v86-internals.ts";

/**
 * Takes requests from a ring without v86's detours: its own chain makes five hexadecimal texts for each descriptor, for
 * a log that release builds leave out, and reaches guest RAM through two proxies that make a view each time.
 * Source: virtio 1.2, 2.7 (split virtqueues); v86 src/virtio.js `VirtQueueBufferChain`.
 */

const DESCRIPTOR_BYTES = 16;
const HAS_NEXT = 1;
const IS_WRITABLE = 2;
const IS_INDIRECT = 4;

interface Piece {
  address: number;
  /** The guest's word, as a signed number: may be negative or huge. */
  length: number;
}

/** Guest RAM, whose wasm memory is another buffer after it has grown. */
class GuestMemory {
  readonly #cpu: Pick<Cpu, "mem8">;
  #bytes: Uint8Array = new Uint8Array(0);
  #words: DataView = new DataView(this.#bytes.buffer);

  constructor(cpu: Pick<Cpu, "mem8">) {
    this.#cpu = cpu;
  }

  get bytes(): Uint8Array {
    this.#find();
    return this.#bytes;
  }

  get words(): DataView {
    this.#find();
    return this.#words;
  }

  #find(): void {
    // A view of a buffer that is gone has no length any more.
    if (this.#bytes.length > 0) return;
    const { buffer, byteOffset, length } = this.#cpu.mem8;
    this.#bytes = new Uint8Array(buffer, byteOffset, length);
    this.#words = new DataView(buffer, byteOffset, length);
  }
}

/**
 * Replaces `pop_request` of a queue. What it then throws at addresses outside of guest RAM (RangeError) is for the
 * caller to catch.
 */
export function quickenQueue(cpu: Pick<Cpu, "mem8" | "wm">, queue: VirtQueue): void {
  const memory = new GuestMemory(cpu);
  // Drops code that was compiled from these pages, and notes them as written.
  const dirty = cpu.wm.exports.jit_dirty_cache as (start: number, end: number) => void;
  queue.pop_request = () => {
    const head = queue.avail_get_entry(queue.avail_last_idx);
    const chain = new QuickChain(memory, dirty, queue, head);
    queue.avail_last_idx = (queue.avail_last_idx + 1) & 0xffff;
    return chain;
  };
}

class QuickChain implements BufferChain {
  readonly head_idx: number;
  readonly #memory: GuestMemory;
  readonly #dirty: (start: number, end: number) => void;
  readonly #readable: Piece[] = [];
  readonly #writable: Piece[] = [];
  length_readable = 0;
  length_writable = 0;
  /** `push_reply` tells the guest. */
  length_written = 0;

  constructor(
    memory: GuestMemory,
    dirty: (start: number, end: number) => void,
    queue: VirtQueue,
    head: number,
  ) {
    this.#memory = memory;
    this.#dirty = dirty;
    this.head_idx = head;
    this.#walk(queue.desc_addr, queue.size, head);
  }

  /** Each blob follows on the one before in v86's chain; here there is one, of all or of the beginning. */
  get_next_blob(destination: Uint8Array): number {
    const { bytes } = this.#memory;
    return this.#each(this.#readable, destination.length, (address, length, at) => {
      destination.set(bytes.subarray(address, address + length), at);
    });
  }

  set_next_blob(source: Uint8Array): number {
    const written = this.#each(this.#writable, source.length, (address, length, at) => {
      this.#dirty(address, address + length);
      this.#memory.bytes.set(source.subarray(at, at + length), address);
    });
    this.length_written += written;
    return written;
  }

  #each(
    pieces: readonly Piece[],
    bytes: number,
    move: (address: number, length: number, at: number) => void,
  ): number {
    const ramBytes = this.#memory.bytes.length;
    let at = 0;
    for (const { address, length: most } of pieces) {
      const length = Math.min(most, bytes - at);
      if (length === 0) continue;
      if (length < 0 || address + length > ramBytes) {
        throw new RangeError(`${most} bytes at ${address} are not in the guest's memory`);
      }
      move(address, length, at);
      at += length;
    }
    return at;
  }

  #walk(table: number, tableSize: number, head: number): void {
    const { words } = this.#memory;
    let from = table >>> 0;
    let most = tableSize;
    let index = head;
    let isIndirect = false;
    for (let seen = 0; seen <= most; ) {
      const at = from + index * DESCRIPTOR_BYTES;
      const address = words.getUint32(at, true);
      const length = words.getInt32(at + 8, true);
      const flags = words.getUint16(at + 12, true);
      if ((flags & IS_INDIRECT) !== 0) {
        // A table in a table is against the rules (2.7.5.3.1), and might go round for ever.
        if (isIndirect) throw new RangeError("a table of descriptors in another");
        isIndirect = true;
        from = address;
        // No chain is longer than its queue (2.7.5.3.1), whatever a table has room for.
        most = Math.min(tableSize, Math.floor(length / DESCRIPTOR_BYTES));
        index = 0;
        seen = 0;
        continue;
      }
      if ((flags & IS_WRITABLE) !== 0) {
        this.#writable.push({ address, length });
        this.length_writable += length;
      } else {
        // What is read comes first (2.7.4.2).
        if (this.#writable.length > 0) return;
        this.#readable.push({ address, length });
        this.length_readable += length;
      }
      if ((flags & HAS_NEXT) === 0) return;
      index = words.getUint16(at + 14, true);
      seen++;
    }
  }
}
