import { type BasePages, PAGE_BYTES } from "./base-pages.ts";

/** Longer runs are parts of a look at all of the memory, and nothing of them is asked for again soon. */
const RUN_PAGES = 8;

/**
 * A base's pages with those at hand that were read last: each switch and each save asks for nearly the same few hundred,
 * which the kernel of any guest writes to, and each read is a system call.
 */
export class RememberedPages implements BasePages {
  readonly #pages: BasePages;
  readonly #room: number;
  /** By page of RAM which place of `#contents` it has, the one that was asked for last at the end. */
  readonly #places = new Map<number, number>();
  readonly #contents: Buffer;
  readonly #read = Buffer.allocUnsafeSlow(PAGE_BYTES);

  /** @param room so many pages are remembered at most. */
  constructor(pages: BasePages, room = 1_024) {
    this.#pages = pages;
    this.#room = room;
    // What is not used takes no memory.
    this.#contents = Buffer.allocUnsafeSlow(room * PAGE_BYTES);
  }

  read(first: number, into: Buffer): void {
    const count = into.length / PAGE_BYTES;
    if (count > RUN_PAGES) {
      this.#pages.read(first, into);
      return;
    }
    for (let index = 0; index < count; index++) {
      this.#place(first + index).copy(into, index * PAGE_BYTES);
    }
  }

  isZero(page: number): boolean {
    return this.#pages.isZero(page);
  }

  #place(page: number): Buffer {
    const known = this.#places.get(page);
    // A read that fails leaves all as it was.
    if (known === undefined) this.#pages.read(page, this.#read);
    else this.#places.delete(page);
    const place = known ?? this.#freePlace();
    this.#places.set(page, place);
    const content = this.#contents.subarray(place * PAGE_BYTES, (place + 1) * PAGE_BYTES);
    if (known === undefined) this.#read.copy(content);
    return content;
  }

  #freePlace(): number {
    const [oldest] = this.#places;
    if (this.#places.size < this.#room || oldest === undefined) return this.#places.size;
    this.#places.delete(oldest[0]);
    return oldest[1];
  }
}
