import { hash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { type BasePages, noBasePages, PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import type { PageSet } from "../../workers/machine/memory.ts";
import { MAX_DELTA_BYTES } from "../../workers/machine/page-delta.ts";
import { PagePacks, type PagePlaces } from "../../workers/machine/page-packs.ts";
import { integersFrom, seed } from "../support/random.ts";
import { pagesInMemory } from "./support/pages-in-memory.ts";

/** Blobs in memory, with a count of the bytes that were put. */
class Blobs {
  readonly all = new Map<string, Uint8Array>();
  putBytes = 0;

  get(name: string): Uint8Array {
    const bytes = this.all.get(name);
    if (!bytes) throw new Error(`no blob ${name}`);
    return bytes;
  }

  put(name: string, bytes: Uint8Array): void {
    expect(hash("sha256", bytes, "hex")).toBe(name);
    this.putBytes += bytes.length;
    this.all.set(name, Uint8Array.from(bytes));
  }
}

let blobs: Blobs;
const base = noBasePages;

function packsOver(pages: BasePages): PagePacks {
  return new PagePacks(blobs, pages);
}

beforeEach(() => {
  blobs = new Blobs();
});

type Model = Map<number, number>;

/** Pages by number, each filled with one 32-bit value. */
function pageSet(model: Model): PageSet {
  const numbers = Uint32Array.from([...model.keys()].sort((a, b) => a - b));
  const contents = new Uint8Array(numbers.length * PAGE_BYTES);
  const words = new Uint32Array(contents.buffer);
  for (const [index, number] of numbers.entries()) {
    words.fill(model.get(number) ?? 0, index * 1024, (index + 1) * 1024);
  }
  return { numbers, contents };
}

function pagesOf(count: number, value = 1): Model {
  return new Map(Array.from({ length: count }, (_, page) => [page * 3, value * 100_000 + page]));
}

function expectSame(places: PagePlaces, model: Model): void {
  const loaded = packsOver(base).load(structuredClone(places));
  const expected = pageSet(model);
  expect(loaded.numbers).toEqual(expected.numbers);
  expect(Buffer.from(loaded.contents).equals(expected.contents)).toBe(true);
}

test("pages come back as they were, by another machine, however many there are", () => {
  for (const count of [0, 1, 1_023, 1_024, 1_025, 3_000]) {
    const model = pagesOf(count, count + 1);
    expectSame(packsOver(base).save(pageSet(model)), model);
  }
});

test("a turn that changes ten pages of two thousand stores ten pages", () => {
  const packs = packsOver(base);
  const model = pagesOf(2_000);
  packs.save(pageSet(model));
  blobs.putBytes = 0;
  for (let page = 0; page < 10; page++) model.set(page * 30, 7);
  const places = packs.save(pageSet(model));
  expect(blobs.putBytes).toBe(10 * MAX_DELTA_BYTES);
  expectSame(places, model);
});

test("also when another machine loaded the state before", () => {
  const model = pagesOf(500);
  const places = packsOver(base).save(pageSet(model));
  const other = packsOver(base);
  other.load(structuredClone(places));
  blobs.putBytes = 0;
  model.set(1, 9).delete(0);
  expectSame(other.save(pageSet(model)), model);
  expect(blobs.putBytes).toBe(MAX_DELTA_BYTES);
});

test("after a reset nothing of the earlier thread is taken over", () => {
  const packs = packsOver(base);
  packs.save(pageSet(pagesOf(100)));
  packs.forget();
  blobs.putBytes = 0;
  packs.save(pageSet(pagesOf(100)));
  expect(blobs.putBytes).toBe(100 * MAX_DELTA_BYTES);
});

test("a pack that is mostly unused is let go", () => {
  const packs = packsOver(base);
  const model = pagesOf(1_000);
  const first = packs.save(pageSet(model)).packs;
  for (let page = 0; page < 600; page++) model.set(page * 3, 5);
  const places = packs.save(pageSet(model));
  expect(places.packs.map(({ hash: name }) => name)).not.toContain(first[0]?.hash);
  expectSame(places, model);
});

test("a hundred random turns keep every state whole, few packs, and what is written in proportion", () => {
  const random = integersFrom(seed);
  const packs = packsOver(base);
  const model: Model = new Map();
  let changed = 0;
  for (let turn = 0; turn < 100; turn++) {
    for (let i = random(60); i >= 0; i--) {
      const page = random(2_000);
      if (random(8) === 0) model.delete(page);
      else {
        model.set(page, random(1_000_000));
        changed++;
      }
    }
    const places = packs.save(pageSet(model));
    expect(places.packs.length, `MOM_SEED=${seed}`).toBeLessThan(32);
    if (turn % 20 === 0) expectSame(places, model);
  }
  expect(blobs.putBytes / PAGE_BYTES, `MOM_SEED=${seed}`).toBeLessThan(changed * 5);
});

test("a page that differs little from the base's is stored as little, and comes back as it was", () => {
  const random = integersFrom(seed);
  const numbers = Uint32Array.from({ length: 40 }, (_, index) => index * 2);
  const noise = () => Buffer.from(Uint8Array.from({ length: 40 * PAGE_BYTES }, () => random(256)));
  const inBase = { numbers, contents: noise() };
  const overBase = pagesInMemory(100 * PAGE_BYTES, inBase);
  // Every other page is new altogether.
  const contents = noise();
  for (let page = 0; page < 40; page += 2) {
    inBase.contents.copy(contents, page * PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    contents.writeUInt32LE(random(1_000_000), page * PAGE_BYTES + 4 * random(1_000));
  }
  const places = packsOver(overBase).save({ numbers, contents });
  const [pack] = blobs.all.values();
  // The twenty pages that are new, and of the others a piece of 64 bytes at most.
  expect(pack?.length, `MOM_SEED=${seed}`).toBeLessThanOrEqual(20 * (MAX_DELTA_BYTES + 8 + 64));
  const loaded = packsOver(overBase).load(structuredClone(places));
  expect(Buffer.from(loaded.contents).equals(contents), `MOM_SEED=${seed}`).toBe(true);

  // And so does a state of the next turn that takes over their places.
  const next = packsOver(overBase);
  next.load(places);
  contents.writeUInt32LE(7, 3 * PAGE_BYTES);
  const later = packsOver(overBase).load(next.save({ numbers, contents }));
  expect(Buffer.from(later.contents).equals(contents), `MOM_SEED=${seed}`).toBe(true);
});

test("a pack that is missing, damaged or too short is refused", () => {
  const places = packsOver(base).save(pageSet(pagesOf(10)));
  const [name = ""] = blobs.all.keys();
  const whole = blobs.get(name);
  const wrong = [whole.subarray(0, PAGE_BYTES), Uint8Array.from(whole).fill(1, 5_000, 5_001)];
  for (const bytes of wrong) {
    blobs.all.set(name, bytes);
    expect(() => packsOver(base).load(places)).toThrow(/damaged/);
  }
  blobs.all.clear();
  expect(() => packsOver(base).load(places)).toThrow(/missing/);
});

test("places that lie outside of their pack are refused", () => {
  // Read as which pieces there are, the last words claim more than follow.
  const { packs, numbers } = packsOver(base).save(pageSet(new Map([[5, 2 ** 32 - 1]])));
  const end = MAX_DELTA_BYTES / 4;
  for (const place of [
    [0, end],
    [0, end - 1],
    [0, end - 20],
    [1, 0],
    [0, 2 ** 32 - 1],
  ]) {
    const load = () => packsOver(base).load({ packs, numbers, places: Uint32Array.from(place) });
    expect(load, String(place)).toThrow(/damaged|missing/);
  }
});
