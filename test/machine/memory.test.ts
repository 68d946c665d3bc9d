import { expect, test } from "vitest";
import { BaseMemory, nonZeroPages, PAGE_BYTES } from "../../workers/machine/memory.ts";
import { randomFrom, seed } from "./support/random.ts";

const PAGES = 32;
const MEMORY_BYTES = PAGES * PAGE_BYTES;

function randomMemory(random: () => number): Uint8Array {
  const memory = new Uint8Array(MEMORY_BYTES);
  for (let page = 0; page < PAGES; page++) {
    if (random() < 0.4) scribble(memory, page, random);
  }
  return memory;
}

/** Changes one byte of a page, anywhere in it. */
function scribble(memory: Uint8Array, page: number, random: () => number): void {
  const at = page * PAGE_BYTES + Math.floor(random() * PAGE_BYTES);
  memory[at] = ((memory[at] ?? 0) + 1 + Math.floor(random() * 255)) & 255;
}

const changedPages = (a: Uint8Array, b: Uint8Array): number[] =>
  Array.from({ length: PAGES }, (_, page) => page).filter((page) => {
    const [from, to] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
    return !Buffer.from(a.subarray(from, to)).equals(b.subarray(from, to));
  });

test("from any memory to any other over a base, and only the pages that differ are written", () => {
  const random = randomFrom(seed);
  for (let round = 0; round < 50; round++) {
    const hint = `MOM_SEED=${seed} round ${round}`;
    const baseMemory = randomMemory(random);
    const base = new BaseMemory(MEMORY_BYTES, nonZeroPages(baseMemory));
    const wanted = Uint8Array.from(baseMemory);
    for (let page = 0; page < PAGES; page++) {
      if (random() < 0.3) scribble(wanted, page, random);
      // Also back to nothing: a page of zeros over one of the base that is not.
      if (random() < 0.1) wanted.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    }
    const pages = base.difference(wanted);
    expect([...pages.numbers], hint).toEqual(changedPages(baseMemory, wanted));

    const memory = randomMemory(random);
    const expectedWrites = changedPages(memory, wanted);
    expect([...base.apply(memory, pages)], hint).toEqual(expectedWrites);
    expect(Buffer.from(memory).equals(wanted), hint).toBe(true);
    expect([...base.apply(memory, pages)], hint).toEqual([]);
  }
});

test("the pages of a base are those that are not zero", () => {
  const memory = new Uint8Array(MEMORY_BYTES);
  memory[0] = 1;
  memory[5 * PAGE_BYTES - 1] = 1;
  memory[MEMORY_BYTES - 1] = 1;
  expect([...nonZeroPages(memory).numbers]).toEqual([0, 4, PAGES - 1]);
  expect(nonZeroPages(new Uint8Array(MEMORY_BYTES)).contents).toHaveLength(0);
});

test("a view into a larger buffer, as a guest's memory is, counts from its own start", () => {
  const buffer = new Uint8Array(MEMORY_BYTES + 12_345);
  const memory = buffer.subarray(12_345);
  buffer.fill(9, 0, 12_345);
  expect(nonZeroPages(memory).numbers).toHaveLength(0);
  memory[3 * PAGE_BYTES] = 1;
  expect([...nonZeroPages(memory).numbers]).toEqual([3]);
});
