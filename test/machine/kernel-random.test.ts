import { expect, test } from "vitest";
import { KEY_BYTES, refreshKey, reseeded } from "../../workers/machine/kernel-random.ts";

const AT = 5;

/** Memory with a generator in it: a key of words that differ from those of another seed, and the words behind it. */
function memory(seed: number, ...behind: number[]): Uint32Array {
  const words = new Uint32Array(64);
  for (let at = AT; at < AT + 8; at++) words[at] = Math.imul(seed * 100 + at, 0x9e37_79b1);
  words.set(behind, AT + 8);
  return words;
}

test.each([
  ["generation alone, a lock behind it", [7, 0], [8, 0], [0]],
  ["birth and generation", [90_000, 7], [90_500, 8], [1]],
  // Two times in a row that is not seen.
  ["a birth one tick later", [90_000, 7], [90_001, 8], [0, 1]],
  ["a birth across the end of the counter", [0xffff_fff0, 7], [16, 8], [1]],
  ["reseeded twice", [7, 0], [9, 0], []],
  ["nothing went on", [7, 0], [7, 0], []],
])("the generator is found by what it does: %s", (_form, before, after, forms) => {
  const found = reseeded(memory(1, ...before), memory(2, ...after));
  expect(found).toEqual(forms.map((generationWord) => ({ address: AT * 4, generationWord })));
});

test("without a new key nothing is found", () => {
  expect(reseeded(memory(1, 7, 0), memory(1, 8, 0))).toEqual([]);
});

test.each([
  [7, 8],
  // All ones mean that there never was a key.
  [0xffff_fffe, 0],
])("a refreshed generator has the new key and goes from generation %i to %i", (from, to) => {
  const bytes = new Uint8Array(memory(1, 5, from).buffer);
  const emulator = {
    memory: bytes,
    writeMemory: (address: number, content: Uint8Array) => bytes.set(content, address),
  };
  refreshKey(emulator, { address: AT * 4, generationWord: 1 }, Buffer.alloc(KEY_BYTES, 3));
  const expected = memory(1, 5, to).fill(0x0303_0303, AT, AT + 8);
  expect(Buffer.from(expected.buffer).equals(bytes)).toBe(true);
});
