import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { MachineError } from "./api.ts";

/** Guest RAM is dealt with in pages of this size. */
export const PAGE_BYTES = 4096;
/** Neighbours are dealt with at once, up to that many. */
export const RUN_PAGES = 64;

/** One of the pages that stand in `contents` one after another: a view. */
export function pageOf(contents: Uint8Array, index: number): Buffer {
  return Buffer.from(contents.buffer, contents.byteOffset + index * PAGE_BYTES, PAGE_BYTES);
}

/** What the base has in each page of RAM. */
export interface BasePages {
  /** Fill `into`, a whole number of pages, with what stands from page `first` on. */
  read(first: number, into: Buffer): void;
  /** Whether a page is known to have nothing in it. */
  isZero(page: number): boolean;
}

/**
 * Where a base's pages stand. Most of its memory is the guest's page cache, and that stands in the image already: of a
 * hundred megabytes thirty are the base's own.
 */
export interface BasePlaces {
  /** Names of the image's files that are pointed to. */
  files: string[];
  /**
   * Two numbers for each page of the base, in the order of their numbers: 0 for the base's own file, or n for
   * `files[n - 1]`; and which page of that file. What is behind the end of an image's file is zero.
   */
  places: Uint32Array;
}

export interface FilePagesOptions {
  /** The base's own pages, one after another. */
  path: string;
  /** Folder of the image's files. */
  imageFiles: string;
  /** Numbers of the pages that are not zero, ascending, and where each of them stands. */
  numbers: Uint32Array;
  places: BasePlaces;
  memoryBytes: number;
}

/** So many of the image's files are kept open; a base points to some hundreds. */
const OPEN_FILES = 64;

/**
 * A base's pages in files, its own and the image's. They are read when they are compared, from the host's page cache,
 * which all machines of a host share: a copy in each process would be a third of its memory.
 */
export class FilePages implements BasePages {
  readonly #paths: readonly string[];
  /** For each page of RAM which file it stands in, or -1, and which page of that file it is. */
  readonly #sources: Int16Array;
  readonly #indexes: Uint32Array;
  /** The base's own: open for good, so that a base whose folder is removed can still be used. */
  readonly #own: number;
  /** By file, the one that was used last at the end. */
  readonly #open = new Map<number, number>();

  constructor({ path, imageFiles, numbers, places, memoryBytes }: FilePagesOptions) {
    this.#paths = [path, ...places.files.map((name) => join(imageFiles, name))];
    this.#sources = new Int16Array(memoryBytes / PAGE_BYTES).fill(-1);
    this.#indexes = new Uint32Array(memoryBytes / PAGE_BYTES);
    for (const [at, number] of numbers.entries()) {
      this.#sources[number] = places.places[at * 2] ?? -1;
      this.#indexes[number] = places.places[at * 2 + 1] ?? 0;
    }
    this.#own = openSync(path, "r");
  }

  read(first: number, into: Buffer): void {
    const pages = into.length / PAGE_BYTES;
    let at = 0;
    while (at < pages) {
      const source = this.#sources[first + at] ?? -1;
      const index = this.#indexes[first + at] ?? 0;
      let end = at + 1;
      while (end < pages && this.#follows(first + end, source, index + end - at)) end++;
      const part = into.subarray(at * PAGE_BYTES, end * PAGE_BYTES);
      if (source < 0) part.fill(0);
      else this.#readFile(source, part, index * PAGE_BYTES);
      at = end;
    }
  }

  isZero(page: number): boolean {
    return (this.#sources[page] ?? -1) < 0;
  }

  #follows(page: number, source: number, index: number): boolean {
    return this.#sources[page] === source && (source < 0 || this.#indexes[page] === index);
  }

  #readFile(source: number, into: Buffer, position: number): void {
    const descriptor = source === 0 ? this.#own : this.#imageFile(source);
    let done = 0;
    while (done < into.length) {
      const bytes = readSync(descriptor, into, done, into.length - done, position + done);
      if (bytes === 0) break;
      done += bytes;
    }
    if (done === into.length) return;
    // The last page of an image's file is zero behind its end, as it is in the guest's page cache.
    if (source > 0 && into.length - done < PAGE_BYTES) into.fill(0, done);
    else throw cutShort(this.#paths[source]);
  }

  #imageFile(source: number): number {
    const known = this.#open.get(source);
    if (known !== undefined) {
      this.#open.delete(source);
      this.#open.set(source, known);
      return known;
    }
    const [oldest] = this.#open;
    if (this.#open.size >= OPEN_FILES && oldest !== undefined) {
      closeSync(oldest[1]);
      this.#open.delete(oldest[0]);
    }
    const path = this.#paths[source] ?? "";
    try {
      const descriptor = openSync(path, "r");
      this.#open.set(source, descriptor);
      return descriptor;
    } catch (cause) {
      const message = `the base needs a file of the image that cannot be read: ${path}`;
      throw new MachineError("BAD_IMAGE", message, { cause });
    }
  }
}

/**
 * CRC-32 over the pages of RAM with these numbers, which ascend: against damage, at a tenth of what SHA-256 takes. The others
 * are not looked at: to read a page that nobody has touched makes it one that the host has to provide.
 */
export function memoryChecksum(memory: Uint8Array, numbers: Uint32Array): number {
  let checksum = 0;
  for (const { first, pages } of runs(numbers)) {
    const bytes = memory.subarray(first * PAGE_BYTES, (first + pages) * PAGE_BYTES);
    checksum = crc32(bytes, checksum);
  }
  return checksum;
}

function cutShort(path: string | undefined): MachineError {
  return new MachineError("BAD_IMAGE", `a file of the base has been cut short: ${path}`);
}

/** The base of a machine that has none: nothing but zeros. */
export const noBasePages: BasePages = {
  read: (_first, into) => void into.fill(0),
  isZero: () => true,
};

/** Neighbours among pages that ascend. */
export function* runs(pages: Iterable<number>): Generator<{ first: number; pages: number }> {
  let run: { first: number; pages: number } | undefined;
  for (const page of pages) {
    if (run !== undefined && page === run.first + run.pages && run.pages < RUN_PAGES) {
      run.pages++;
      continue;
    }
    if (run !== undefined) yield run;
    run = { first: page, pages: 1 };
  }
  if (run !== undefined) yield run;
}
