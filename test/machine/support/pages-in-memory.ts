import { type BasePages, PAGE_BYTES } from "../../../workers/machine/base-pages.ts";
import type { PageSet } from "../../../workers/machine/memory.ts";

/** A base that is not zero in `pages`. */
export function pagesInMemory(memoryBytes: number, { numbers, contents }: PageSet): BasePages {
  const memory = Buffer.alloc(memoryBytes);
  for (const [index, page] of numbers.entries()) {
    memory.set(contents.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES), page * PAGE_BYTES);
  }
  return {
    read: (first, into) =>
      into.set(memory.subarray(first * PAGE_BYTES, first * PAGE_BYTES + into.length)),
    isZero: (page) => !numbers.includes(page),
  };
}
