import { expect, test } from "vitest";
import { type BasePages, PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { RememberedPages } from "../../workers/machine/remembered-pages.ts";
import { integersFrom, seed } from "../support/random.ts";

/** Each page is full of its number; `reads` are those that were asked for. */
function numberedPages() {
  const reads: [first: number, pages: number][] = [];
  let failing: number | undefined;
  const pages: BasePages = {
    read(first, into) {
      const count = into.length / PAGE_BYTES;
      reads.push([first, count]);
      if (failing !== undefined && first <= failing && failing < first + count) {
        into.fill(0xee);
        throw new Error("cut short");
      }
      for (let index = 0; index < count; index++) {
        into.fill((first + index) % 251, index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
      }
    },
    isZero: (page) => page === 0,
  };
  const fail = (page: number | undefined): void => {
    failing = page;
  };
  return { pages, reads, fail };
}

function read(pages: BasePages, first: number, count = 1): number[] {
  const into = Buffer.alloc(count * PAGE_BYTES, 0xff);
  pages.read(first, into);
  return Array.from({ length: count }, (_, index) => {
    const page = into.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    expect(page.every((byte) => byte === page[0])).toBe(true);
    return page[0] ?? -1;
  });
}

test("a page is read once, by itself or among neighbours, until others have taken its room", () => {
  const { pages, reads } = numberedPages();
  const remembered = new RememberedPages(pages, 3);
  expect(read(remembered, 5)).toEqual([5]);
  expect(read(remembered, 4, 3)).toEqual([4, 5, 6]);
  expect(reads.map(([first]) => first)).toEqual([5, 4, 6]);
  // 4 was asked for longest ago.
  expect(read(remembered, 9)).toEqual([9]);
  expect(read(remembered, 5, 2)).toEqual([5, 6]);
  expect(reads).toHaveLength(4);
  expect(read(remembered, 4)).toEqual([4]);
  expect(reads).toHaveLength(5);
});

test("a long run is read at once, and nothing is forgotten for it", () => {
  const { pages, reads } = numberedPages();
  const remembered = new RememberedPages(pages, 3);
  read(remembered, 1);
  const many = read(remembered, 0, 64);
  expect(many).toEqual(Array.from({ length: 64 }, (_, index) => index));
  read(remembered, 1);
  expect(reads).toEqual([
    [1, 1],
    [0, 64],
  ]);
});

test("a read that fails costs no page that is remembered, and is made again", () => {
  const { pages, fail } = numberedPages();
  const remembered = new RememberedPages(pages, 2);
  read(remembered, 1, 2);
  fail(3);
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(() => read(remembered, 3)).toThrow("cut short");
  }
  expect(read(remembered, 1, 2)).toEqual([1, 2]);
  fail(undefined);
  expect(read(remembered, 3)).toEqual([3]);
  expect(read(remembered, 1, 2)).toEqual([1, 2]);
});

test("random reads give what the base has", () => {
  const random = integersFrom(seed);
  const remembered = new RememberedPages(numberedPages().pages, 20);
  for (let round = 0; round < 3_000; round++) {
    const first = random(40);
    const count = 1 + random(12);
    const expected = Array.from({ length: count }, (_, index) => first + index);
    expect(read(remembered, first, count), `MOM_SEED=${seed}`).toEqual(expected);
  }
});
