import { expect, test } from "vitest";
import { PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import {
  applyDelta,
  MAX_DELTA_BYTES,
  wordsOf,
  writeDelta,
} from "../../workers/machine/page-delta.ts";
import { integersFrom, seed } from "../support/random.ts";

const random = integersFrom(seed);
const noise = () => Buffer.from(Uint8Array.from({ length: PAGE_BYTES }, () => random(256)));
const PIECE_BYTES = 64;

test("a thousand pages come back from what they differ in, one after another in the same deltas", () => {
  const deltas = new Int32Array((1_000 * MAX_DELTA_BYTES) / 4);
  const pages = Array.from({ length: 1_000 }, (_, index) => {
    const other = index % 3 === 0 ? Buffer.alloc(PAGE_BYTES) : noise();
    const page = index % 5 === 0 ? noise() : Buffer.from(other);
    for (let changes = random(70); changes > 0; changes--) {
      page[random(PAGE_BYTES)] = random(256);
    }
    return { page, other };
  });
  let end = 0;
  const places = pages.map(({ page, other }) => {
    const at = end;
    end = writeDelta(page, other, deltas, at);
    return at;
  });
  for (const [index, { page, other }] of pages.entries()) {
    const made = Buffer.from(other);
    expect(applyDelta(made, deltas.subarray(0, end), places[index] ?? -1)).toBe(true);
    expect(made.equals(page), `page ${index}, MOM_SEED=${seed}`).toBe(true);
  }
});

test("each of the 64 pieces takes its room alone, and two masks are all that a page without a difference takes", () => {
  const deltas = new Int32Array(MAX_DELTA_BYTES / 4);
  const zeros = Buffer.alloc(PAGE_BYTES);
  expect(writeDelta(zeros, zeros, deltas, 0)).toBe(2);
  for (let piece = 0; piece < 64; piece++) {
    const page = Buffer.alloc(PAGE_BYTES);
    page[piece * PIECE_BYTES + random(PIECE_BYTES)] = 1 + random(255);
    expect(writeDelta(page, zeros, deltas, 0)).toBe(2 + PIECE_BYTES / 4);
    const made = Buffer.alloc(PAGE_BYTES);
    expect(applyDelta(made, deltas, 0)).toBe(true);
    expect(made.equals(page), `piece ${piece}, MOM_SEED=${seed}`).toBe(true);
  }
  expect(writeDelta(Buffer.alloc(PAGE_BYTES, 1), zeros, deltas, 0)).toBe(MAX_DELTA_BYTES / 4);
});

test("deltas that end too early, or claim what they do not have, are told from whole ones", () => {
  const whole = new Int32Array(MAX_DELTA_BYTES / 4);
  const page = noise();
  const end = writeDelta(page, Buffer.alloc(PAGE_BYTES), whole, 0);
  for (let length = 0; length < end; length++) {
    expect(applyDelta(Buffer.alloc(PAGE_BYTES), whole.subarray(0, length), 0)).toBe(false);
  }
  for (let round = 0; round < 2_000; round++) {
    const deltas = Int32Array.from({ length: random(400) }, () => random(2 ** 32) | 0);
    const at = random(500);
    const claimed = [at, at + 1].map((index) => bits(deltas[index] ?? 0));
    const isWhole = at + 2 + ((claimed[0] ?? 0) + (claimed[1] ?? 0)) * 16 <= deltas.length;
    const told = applyDelta(Buffer.alloc(PAGE_BYTES), deltas, at);
    expect(told, `round ${round}, MOM_SEED=${seed}`).toBe(isWhole);
  }
});

test("bytes between two words are read, too", () => {
  const bytes = Uint8Array.from([0, 1, 0, 0, 0, 2, 0, 0, 0]);
  expect([...wordsOf(bytes.subarray(1))]).toEqual([1, 2]);
});

function bits(word: number): number {
  return [...(word >>> 0).toString(2)].filter((bit) => bit === "1").length;
}
