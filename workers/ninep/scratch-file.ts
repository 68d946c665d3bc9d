import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { NinePError } from "./errno.ts";

/**
 * Slots of equal size in a file without a name, which goes with the process whatever becomes of it. Opened when it
 * is first needed.
 */
export class ScratchFile {
  readonly #folder: string;
  readonly #slotBytes: number;
  #descriptor: number | undefined;
  #slots = 0;
  #free: number[] = [];

  constructor(folder: string, slotBytes: number) {
    this.#folder = folder;
    this.#slotBytes = slotBytes;
  }

  /** The slot that now holds `data`. Throws the host's error, with nothing kept. */
  store(data: Uint8Array): number {
    const descriptor = this.#open();
    const slot = this.#free.pop() ?? this.#slots++;
    try {
      let done = 0;
      while (done < data.length) {
        const at = slot * this.#slotBytes + done;
        done += writeSync(descriptor, data, done, data.length - done, at);
      }
    } catch (error) {
      this.#free.push(slot);
      throw error;
    }
    return slot;
  }

  read(slot: number, offset: number, into: Uint8Array): void {
    const descriptor = this.#open();
    let done = 0;
    while (done < into.length) {
      const at = slot * this.#slotBytes + offset + done;
      const count = readSync(descriptor, into, done, into.length - done, at);
      if (count === 0) throw new NinePError("EIO", "the scratch file is shorter than its slots");
      done += count;
    }
  }

  release(slot: number): void {
    this.#free.push(slot);
    // Nothing left: give the space back to the host.
    if (this.#free.length === this.#slots) this.clear();
  }

  clear(): void {
    this.#free = [];
    this.#slots = 0;
    if (this.#descriptor !== undefined) ftruncateSync(this.#descriptor, 0);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#free = [];
    this.#slots = 0;
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    const folder = mkdtempSync(join(this.#folder, "mom-scratch-"));
    try {
      this.#descriptor = openSync(join(folder, "blocks"), "wx+", 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
    return this.#descriptor;
  }
}
