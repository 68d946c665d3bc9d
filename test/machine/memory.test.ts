import { expect, test } from "vitest";
import { PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { BaseMemory, DeltaMemory, type PageSet } from "../../workers/machine/memory.ts";
import { integersFrom, seed } from "../support/random.ts";
import { pagesInMemory } from "./support/pages-in-memory.ts";

const PAGES = 64;

function pageSet(pages: Record<number, number>): PageSet {
  const numbers = Uint32Array.from(Object.keys(pages), Number).sort();
  const contents = new Uint8Array(numbers.length * PAGE_BYTES);
  for (const [index, page] of numbers.entries()) {
    contents.fill(pages[page] ?? 0, index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
  }
  return { numbers, contents };
}

function fill(memory: Uint8Array, page: number, value: number): void {
  memory.fill(value, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
}

const noPages = pageSet({});

function baseWith(pages: PageSet): BaseMemory {
  return new BaseMemory(pagesInMemory(PAGES * PAGE_BYTES, pages));
}

test("a page that is as in the base again is not saved", () => {
  const delta = new DeltaMemory(baseWith(pageSet({ 3: 7 })));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  expect([...delta.load(memory, undefined, noPages)]).toEqual([3]);
  fill(memory, 5, 1);
  expect([...delta.save(memory, Uint32Array.of(3, 5)).numbers]).toEqual([5]);
  fill(memory, 5, 0);
  expect([...delta.save(memory, Uint32Array.of(5)).numbers]).toEqual([]);
});

test("a page that was changed before the last save is saved again though it was not written since", () => {
  const delta = new DeltaMemory(baseWith(noPages));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  Array.from(delta.load(memory, undefined, noPages));
  fill(memory, 9, 1);
  delta.save(memory, Uint32Array.of(9));
  expect([...delta.save(memory, Uint32Array.of()).numbers]).toEqual([9]);
});

test("only pages that may differ are looked at", () => {
  const delta = new DeltaMemory(baseWith(noPages));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  Array.from(delta.load(memory, undefined, noPages));
  fill(memory, 9, 1);
  expect([...delta.save(memory, Uint32Array.of(8)).numbers]).toEqual([]);
});

test("where nobody can tell what was written, all pages are compared", () => {
  const delta = new DeltaMemory(baseWith(noPages));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  Array.from(delta.load(memory, undefined, noPages));
  fill(memory, 60, 1);
  expect([...delta.save(memory, undefined).numbers]).toEqual([60]);
  fill(memory, 61, 1);
  expect([...delta.load(memory, undefined, pageSet({ 2: 5 }))].sort()).toEqual([2, 60, 61]);
});

test("after a load that broke off, all pages are compared", () => {
  const delta = new DeltaMemory(baseWith(noPages));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  Array.from(delta.load(memory, undefined, noPages));
  for (const _page of delta.load(memory, Uint32Array.of(), pageSet({ 1: 1, 2: 2 }))) break;
  fill(memory, 60, 1);
  expect([...delta.save(memory, Uint32Array.of()).numbers]).toEqual([1, 60]);
});

test("the memory of a new machine, with its firmware in it, becomes the base, and counts as that", () => {
  const base = baseWith(pageSet({ 0: 9, 7: 8, 8: 6, 63: 7 }));
  const delta = new DeltaMemory(base);
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  for (const page of [1, 8, 62]) fill(memory, page, 3);
  expect(Array.from(delta.fill(memory)).sort((a, b) => a - b)).toEqual([0, 1, 7, 8, 62, 63]);
  expect([...base.difference(memory).numbers]).toEqual([]);
  fill(memory, 62, 1);
  fill(memory, 7, 0);
  expect([...delta.save(memory, Uint32Array.of(7, 62)).numbers]).toEqual([7, 62]);
});

test("the memory of a new machine that could not be filled is compared as a whole", () => {
  const pages = pagesInMemory(PAGES * PAGE_BYTES, pageSet({ 5: 1 }));
  let isBroken = true;
  const read = (first: number, into: Buffer): void => {
    if (isBroken) throw new Error("cut short");
    pages.read(first, into);
  };
  const delta = new DeltaMemory(new BaseMemory({ ...pages, read }));
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  expect(() => Array.from(delta.fill(memory))).toThrow("cut short");
  isBroken = false;
  fill(memory, 40, 1);
  expect([...delta.save(memory, Uint32Array.of()).numbers]).toEqual([5, 40]);
});

test("random writes, saves and loads end in the memory that a full comparison gives", () => {
  const number = integersFrom(seed);
  const base = baseWith(pageSet({ 0: 9, 7: 8, 30: 7 }));
  const delta = new DeltaMemory(base);
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  const saved = [noPages];
  let written = new Set<number>();
  const take = () => {
    const taken = Uint32Array.from(written).sort();
    written = new Set();
    return taken;
  };
  Array.from(delta.load(memory, undefined, noPages));
  for (let step = 0; step < 400; step++) {
    const message = `MOM_SEED=${seed}, step ${step}`;
    for (let writes = number(6); writes > 0; writes--) {
      const page = number(PAGES);
      written.add(page);
      if (number(5) > 0) fill(memory, page, number(4));
    }
    if (number(2) > 0) {
      const pages = delta.save(memory, take());
      expect(pages.numbers, message).toEqual(base.difference(memory).numbers);
      saved.push(pages);
    } else {
      const pages = saved[number(saved.length)] ?? noPages;
      const before = Uint8Array.from(memory);
      const changed = Array.from(delta.load(memory, take(), pages)).sort((a, b) => a - b);
      const expected = Uint8Array.from(memory);
      Array.from(base.apply(expected, pages));
      expect(Buffer.compare(memory, expected), message).toBe(0);
      const differing = Array.from({ length: PAGES }, (_, page) => page).filter((page) =>
        Buffer.compare(
          before.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES),
          memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES),
        ),
      );
      expect(changed, message).toEqual(differing);
    }
  }
});
