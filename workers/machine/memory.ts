/** Guest RAM as pages: what differs from a base, and how to get from one content to another. */

export const PAGE_BYTES = 4096;

/** Pages that are not as they are in the base. */
export interface PageSet {
  /** Page numbers, ascending. */
  numbers: Uint32Array;
  /** Contents, one page after another in the order of `numbers`. */
  contents: Uint8Array;
}

/** RAM of the base: what every page is unless a sandbox changed it. */
export class BaseMemory {
  readonly #bytes: Buffer;

  constructor(memoryBytes: number, pages: PageSet) {
    // Zeroed by the system on first touch: untouched pages take no memory.
    this.#bytes = Buffer.alloc(memoryBytes);
    forEachPage(pages, (page, content) => this.#bytes.set(content, page * PAGE_BYTES));
  }

  /** Pages of `memory` that differ from the base. */
  difference(memory: Uint8Array): PageSet {
    const changed: number[] = [];
    for (let at = 0; at < memory.length; at += PAGE_BYTES) {
      if (!this.#isSame(memory, at)) changed.push(at / PAGE_BYTES);
    }
    const contents = new Uint8Array(changed.length * PAGE_BYTES);
    for (const [index, page] of changed.entries()) {
      const at = page * PAGE_BYTES;
      contents.set(memory.subarray(at, at + PAGE_BYTES), index * PAGE_BYTES);
    }
    return { numbers: Uint32Array.from(changed), contents };
  }

  /** Make `memory` the base with `pages` over it, touching only pages that differ. Yields their numbers. */
  *apply(memory: Uint8Array, pages: PageSet): Generator<number> {
    let next = 0;
    for (let at = 0; at < memory.length; at += PAGE_BYTES) {
      const page = at / PAGE_BYTES;
      const isInSet = pages.numbers[next] === page;
      const source = isInSet ? pages.contents : this.#bytes;
      const from = isInSet ? next++ * PAGE_BYTES : at;
      if (differs(source, from, memory, at)) {
        memory.set(source.subarray(from, from + PAGE_BYTES), at);
        yield page;
      }
    }
  }

  #isSame(memory: Uint8Array, at: number): boolean {
    return !differs(this.#bytes, at, memory, at);
  }
}

/** All pages with content: a base's own memory. */
export function nonZeroPages(memory: Uint8Array): PageSet {
  return new BaseMemory(memory.length, {
    numbers: new Uint32Array(0),
    contents: new Uint8Array(0),
  }).difference(memory);
}

/** True when page numbers ascend, fit the memory, and the contents are all there. */
export function isPageSet(pages: PageSet, memoryBytes: number): boolean {
  if (pages.contents.length !== pages.numbers.length * PAGE_BYTES) return false;
  let last = -1;
  for (const page of pages.numbers) {
    if (page <= last || page >= memoryBytes / PAGE_BYTES) return false;
    last = page;
  }
  return true;
}

function forEachPage(pages: PageSet, use: (page: number, content: Uint8Array) => void): void {
  for (const [index, page] of pages.numbers.entries()) {
    use(page, pages.contents.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES));
  }
}

function differs(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const left = Buffer.from(a.buffer, a.byteOffset + aAt, PAGE_BYTES);
  const right = Buffer.from(b.buffer, b.byteOffset + bAt, PAGE_BYTES);
  return !left.equals(right);
}
