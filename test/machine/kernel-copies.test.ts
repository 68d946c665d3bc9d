import { expect, test } from "vitest";
import { findMask, useStringCopies } from "../../workers/machine/kernel-copies.ts";

const MASK_AT = 0x8_0b80;

/** What gcc makes of `__copy_user_ll` in Debian's kernel 6.1, with the mask at 0xc0080b80. */
const CODE = Buffer.from("83f93f760c89d031f82305800b08c0752b89c8", "hex");

function kernel({ mask = 7, code = CODE, copies = 1 } = {}): Buffer {
  const memory = Buffer.alloc(1 << 20);
  for (let copy = 0; copy < copies; copy++) code.copy(memory, 0x1_0000 + copy * 0x100);
  memory.writeUInt32LE(mask, MASK_AT);
  return memory;
}

function guestOf(memory: Buffer) {
  return {
    memory,
    writeMemory: (address: number, bytes: Uint8Array) => memory.set(bytes, address),
  };
}

test("a kernel that shuns string copies is told to take them", () => {
  const memory = kernel();
  expect(useStringCopies(guestOf(memory))).toBe(true);
  expect(memory.readUInt32LE(MASK_AT)).toBe(0);
});

test("it may ask in several places, and by another instruction", () => {
  expect(findMask(kernel({ copies: 3 }))).toBe(MASK_AT);
  const test = Buffer.from("83fb3f760a89d031f8851d800b08c0752b", "hex");
  expect(findMask(kernel({ code: test }))).toBe(MASK_AT);
});

test.each([
  ["that has set no mask", kernel({ mask: 0 })],
  ["without such code", kernel({ code: Buffer.alloc(8) })],
  [
    "whose code asks outside its memory",
    kernel({ code: Buffer.from("83f93f23050000ffff752b", "hex") }),
  ],
  ["that ends in the middle of it", kernel().subarray(0, 0x1_000c)],
])("a kernel %s is left as it is", (_, memory) => {
  const before = Buffer.from(memory);
  expect(useStringCopies(guestOf(memory))).toBe(false);
  expect(memory.equals(before)).toBe(true);
});

test("where two places might be the mask, none is touched", () => {
  const memory = kernel();
  const other = Buffer.from(CODE);
  other.writeUInt32LE(0xc009_0000, 11);
  other.copy(memory, 0x2_0000);
  memory.writeUInt32LE(7, 0x9_0000);
  expect(findMask(memory)).toBeUndefined();
});
