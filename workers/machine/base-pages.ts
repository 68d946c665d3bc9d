import { openSync, readSync } from "node:fs";
import { MachineError } from "./api.ts";

/** Guest RAM is dealt with in pages of this size. */
export const PAGE_BYTES = 4096;

/** What the base has in each page of RAM. */
export interface BasePages {
  /** Fill `into`, a whole number of pages, with what stands from page `first` on. */
  read(first: number, into: Buffer): void;
}

/**
 * A base's pages in its file, which has those that are not zero, one after another. They are read when they are
 * compared, from the host's page cache, which all machines of a host share: a copy in each process would be a third of
 * its memory.
 */
export class FilePages implements BasePages {
  readonly #descriptor: number;
  readonly #path: string;
  /** For each page of RAM its place in the file, or -1. */
  readonly #places: Int32Array;

  /** @param numbers of the pages in the file, ascending. */
  constructor(path: string, numbers: Uint32Array, memoryBytes: number) {
    this.#path = path;
    this.#places = new Int32Array(memoryBytes / PAGE_BYTES).fill(-1);
    for (const [place, number] of numbers.entries()) this.#places[number] = place;
    // Open for good: a base whose folder is removed can still be used.
    this.#descriptor = openSync(path, "r");
  }

  read(first: number, into: Buffer): void {
    const pages = into.length / PAGE_BYTES;
    let at = 0;
    while (at < pages) {
      const place = this.#places[first + at] ?? -1;
      let end = at + 1;
      while (end < pages && this.#follows(first + end, place, end - at)) end++;
      const part = into.subarray(at * PAGE_BYTES, end * PAGE_BYTES);
      if (place < 0) part.fill(0);
      else this.#readFile(part, place * PAGE_BYTES);
      at = end;
    }
  }

  #follows(page: number, place: number, distance: number): boolean {
    return this.#places[page] === (place < 0 ? -1 : place + distance);
  }

  #readFile(into: Buffer, position: number): void {
    let done = 0;
    while (done < into.length) {
      const bytes = readSync(this.#descriptor, into, done, into.length - done, position + done);
      if (bytes === 0) {
        throw new MachineError("BAD_IMAGE", `the base has been cut short: ${this.#path}`);
      }
      done += bytes;
    }
  }
}

/** The base of a machine that has none: nothing but zeros. */
export const noBasePages: BasePages = { read: (_first, into) => void into.fill(0) };
