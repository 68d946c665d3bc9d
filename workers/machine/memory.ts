import { type BasePages, noBasePages, PAGE_BYTES, RUN_PAGES, runs } from "./base-pages.ts";

/** Guest RAM as pages: what differs from a base, and how to get from one content to another. */

const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

/**
 * Before it has run, a machine that is not to boot has nothing but its firmware, in the first megabyte (src/cpu.js
 * `load_bios`). What is above nobody has touched.
 */
export const FIRMWARE_PAGES = (1 << 20) / PAGE_BYTES;

/** Pages that are not as they are in the base. */
export interface PageSet {
  /** Page numbers, ascending. */
  numbers: Uint32Array;
  /** Contents, one page after another in the order of `numbers`. */
  contents: Uint8Array;
}

/** RAM of the base: what every page is unless a sandbox changed it. */
export class BaseMemory {
  readonly #pages: BasePages;
  readonly #buffer = Buffer.allocUnsafeSlow(RUN_PAGES * PAGE_BYTES);

  constructor(pages: BasePages) {
    this.#pages = pages;
  }

  /** Pages of `memory` that differ from the base, out of `candidates`, which ascend; without them, of all. */
  difference(memory: Uint8Array, candidates: Iterable<number> = allPages(memory)): PageSet {
    const bytes = bufferOver(memory);
    const changed: number[] = [];
    for (const [page, at] of this.#contents(candidates)) {
      if (differs(this.#buffer, at, bytes, page * PAGE_BYTES)) changed.push(page);
    }
    // Every byte is written below.
    const contents = Buffer.allocUnsafeSlow(changed.length * PAGE_BYTES);
    for (const [index, page] of changed.entries()) {
      bytes.copy(contents, index * PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    }
    return { numbers: Uint32Array.from(changed), contents };
  }

  /**
   * Make `memory` the base with `pages` over it, touching only pages that differ. Yields their numbers.
   *
   * @param candidates numbers of pages that may differ from the base now, ascending; without them, all.
   */
  *apply(
    memory: Uint8Array,
    pages: PageSet,
    candidates: Iterable<number> = allPages(memory),
  ): Generator<number> {
    const bytes = bufferOver(memory);
    const contents = bufferOver(pages.contents);
    const inSet = new Set(pages.numbers);
    for (const [page, at] of this.#contents(without(candidates, inSet))) {
      if (copyPage(this.#buffer, at, bytes, page)) yield page;
    }
    for (const [index, page] of pages.numbers.entries()) {
      if (copyPage(contents, index * PAGE_BYTES, bytes, page)) yield page;
    }
  }

  /**
   * Make `memory` the base, where nothing is yet but firmware: what the base has is read into its place at once, instead
   * of being compared. A page that is not touched costs neither time nor memory. Yields the numbers of the pages that may
   * have changed.
   */
  *fill(memory: Uint8Array): Generator<number> {
    const bytes = bufferOver(memory);
    const content: number[] = [];
    const pageCount = memory.length / PAGE_BYTES;
    for (let page = 0; page < pageCount; page++) {
      if (!this.#pages.isZero(page)) content.push(page);
      else if (page < FIRMWARE_PAGES && copyPage(ZERO_PAGE, 0, bytes, page)) yield page;
    }
    for (const { first, pages } of runs(content)) {
      this.#pages.read(first, bytes.subarray(first * PAGE_BYTES, (first + pages) * PAGE_BYTES));
    }
    yield* content;
  }

  /** For each page where the base's content stands in `#buffer`, until the next is asked for. */
  *#contents(candidates: Iterable<number>): Generator<[page: number, at: number]> {
    for (const { first, pages } of runs(candidates)) {
      this.#pages.read(first, this.#buffer.subarray(0, pages * PAGE_BYTES));
      for (let index = 0; index < pages; index++) yield [first + index, index * PAGE_BYTES];
    }
  }
}

/**
 * A machine's memory over a base, with what is known of it: which pages may differ from the base. Saving and
 * switching cost what was touched, not what there is.
 */
export class DeltaMemory {
  readonly #base: BaseMemory;
  /** Pages that may have differed from the base when the machine last began to run; `undefined`: any. */
  #mayDiffer: Uint32Array | undefined;

  constructor(base: BaseMemory) {
    this.#base = base;
  }

  /** Pages that differ from the base, where `written` (or any page) was written since the last call here. */
  save(memory: Uint8Array, written: Uint32Array | undefined): PageSet {
    const candidates = this.#candidates(written);
    this.#mayDiffer = undefined;
    const pages = this.#base.difference(memory, candidates);
    this.#mayDiffer = pages.numbers;
    return pages;
  }

  /** Make the memory of a new machine the base. Yields the numbers of the pages that were changed for it. */
  *fill(memory: Uint8Array): Generator<number> {
    yield* this.#base.fill(memory);
    this.#mayDiffer = new Uint32Array(0);
  }

  /** Make `memory` the base with `pages` over it. Yields the numbers of the pages that were changed for it. */
  *load(memory: Uint8Array, written: Uint32Array | undefined, pages: PageSet): Generator<number> {
    const candidates = this.#candidates(written);
    // Until all is done, nothing is known.
    this.#mayDiffer = undefined;
    yield* this.#base.apply(memory, pages, candidates);
    this.#mayDiffer = pages.numbers;
  }

  #candidates(written: Uint32Array | undefined): Uint32Array | undefined {
    if (this.#mayDiffer === undefined || written === undefined) return undefined;
    return Uint32Array.from(new Set([...this.#mayDiffer, ...written])).sort();
  }
}

/** All pages with content: a base's own memory. */
export function nonZeroPages(memory: Uint8Array): PageSet {
  return new BaseMemory(noBasePages).difference(memory);
}

/** True when page numbers ascend, fit the memory, and the contents are all there. */
export function isPageSet({ numbers, contents }: PageSet, memoryBytes: number): boolean {
  return contents.length === numbers.length * PAGE_BYTES && arePageNumbers(numbers, memoryBytes);
}

/** True when they ascend and fit the memory. */
export function arePageNumbers(numbers: Uint32Array, memoryBytes: number): boolean {
  let last = -1;
  for (const page of numbers) {
    if (page <= last || page >= memoryBytes / PAGE_BYTES) return false;
    last = page;
  }
  return true;
}

function* allPages(memory: Uint8Array): Generator<number> {
  for (let page = 0; page < memory.length / PAGE_BYTES; page++) yield page;
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function differs(a: Buffer, aAt: number, b: Buffer, bAt: number): boolean {
  return a.compare(b, bAt, bAt + PAGE_BYTES, aAt, aAt + PAGE_BYTES) !== 0;
}

function copyPage(source: Buffer, from: number, memory: Buffer, page: number): boolean {
  const at = page * PAGE_BYTES;
  if (!differs(source, from, memory, at)) return false;
  source.copy(memory, at, from, from + PAGE_BYTES);
  return true;
}

function* without(pages: Iterable<number>, excluded: ReadonlySet<number>): Generator<number> {
  for (const page of pages) if (!excluded.has(page)) yield page;
}
