import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { WasmError } from "../../../workers/machine/wasm/encoding.ts";
import { I32, instructions, OP } from "../../../workers/machine/wasm/instructions.ts";
import { WasmModule } from "../../../workers/machine/wasm/module.ts";
import { randomFrom, seed } from "../../support/random.ts";

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];

/**
 * (import "env" "seen" (func (param i32))), (import "env" "start" (global i32)), a memory,
 * (func $twice (export "twice") (param i32) (result i32) …) with a local and one of every odd instruction,
 * (func $plain …), a global, and names.
 */
const HAND_MADE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 2, ...[0x60, 1, 0x7f, 0], ...[0x60, 1, 0x7f, 1, 0x7f]),
  ...section(
    2,
    ...[2, ...text("env"), ...text("seen"), 0, 0],
    ...[...text("env"), ...text("start"), 3, 0x7f, 0],
  ),
  ...section(3, 2, 1, 1),
  ...section(5, 1, 0, 1),
  ...section(6, 1, 0x7f, 1, 0x41, 7, 0x0b),
  ...section(7, 2, ...text("twice"), 0, 1, ...text("memory"), 2, 0),
  ...section(
    10,
    2,
    ...[44, 1, 1, 0x7f],
    ...[0x20, 0, 0x41, 1, 0x74, 0x21, 1], // local = parameter << 1
    ...[0x02, 0x40, 0x20, 1, 0x0e, 1, 0, 0, 0x0b], // br_table
    ...[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0], // memory.fill of nothing
    ...[0x43, 0, 0, 0x80, 0x3f, 0x1a], // f32.const 1
    ...[0x20, 1, 0x20, 1, 0x20, 1, 0x1c, 1, 0x7f], // select (result i32)
    0x0b,
    ...[4, 0, 0x20, 0, 0x0b],
  ),
  ...section(0, ...text("name"), 1, 15, 2, 1, ...text("twice"), 2, ...text("plain")),
]);

function emulator(): Uint8Array {
  return readFileSync(createRequire(import.meta.url).resolve("v86/build/v86.wasm"));
}

async function run(bytes: Uint8Array, seen: (value: number) => void = () => {}) {
  const module = await WebAssembly.compile(bytes);
  const { exports } = await WebAssembly.instantiate(module, { env: { seen, start: 3 } });
  return exports as { twice(value: number): number; memory: { buffer: ArrayBuffer } };
}

test("a module that is not changed comes out as it went in", async () => {
  expect(Buffer.from(new WasmModule(HAND_MADE).toBytes())).toEqual(Buffer.from(HAND_MADE));
  expect((await run(HAND_MADE)).twice(21)).toBe(42);
});

test("a function is found by the end of its name, and by its export", () => {
  const module = new WasmModule(HAND_MADE);
  expect(module.functionNamed("wice")).toBe(1);
  expect(module.functionNamed("plain")).toBe(2);
  expect(module.exportedFunction("twice")).toBe(1);
  expect(() => module.functionNamed("absent")).toThrow(WasmError);
  expect(() => module.exportedFunction("memory")).toThrow(WasmError);
  expect(() => module.body(0), "imported").toThrow(WasmError);
});

test("what is added is called, set from outside, and moves no index", async () => {
  const module = new WasmModule(HAND_MADE);
  const place = module.addGlobal("_place");
  // Imported global 0, its own 1.
  expect(place).toBe(2);
  const note = module.addFunction(
    [I32, I32],
    [],
    Uint8Array.of(0, 0x20, 0, 0x23, place, 0x6a, 0x20, 1, 0x36, 2, 0, 0x0b),
  );
  const tell = module.addFunction([I32], [], Uint8Array.of(0, 0x20, 0, 0x10, 0, 0x0b));
  expect([note, tell]).toEqual([3, 4]);
  const body = module.body(1);
  const calls = [0x20, 0, 0x20, 0, 0x10, note, 0x20, 0, 0x10, tell];
  module.setBody(1, Uint8Array.of(...body.subarray(0, 3), ...calls, ...body.subarray(3)));

  const seen: number[] = [];
  const exports = await run(module.toBytes(), (value) => seen.push(value));
  (exports as unknown as { _place: { value: number } })._place.value = 100;
  expect(exports.twice(8)).toBe(16);
  expect(seen).toEqual([8]);
  expect(new DataView(exports.memory.buffer).getInt32(108, true)).toBe(8);
});

test("instructions are told apart whatever follows them", () => {
  const opcodes = [...instructions(new WasmModule(HAND_MADE).body(1))].map(({ opcode }) => opcode);
  expect(opcodes.slice(0, 8)).toEqual([0x20, 0x41, 0x74, 0x21, 0x02, 0x20, 0x0e, 0x0b]);
  expect(opcodes.at(-1)).toBe(OP.end);
  expect(() => [...instructions(Uint8Array.of(0, 0xfe, 0))]).toThrow(WasmError);
});

test("all of v86's code can be read, and comes out valid", async () => {
  const module = new WasmModule(emulator());
  let functions = 0;
  for (const index of module.functionIndices()) {
    const body = module.body(index);
    let last = { opcode: -1, end: -1 };
    for (const instruction of instructions(body)) last = instruction;
    expect(last).toMatchObject({ opcode: OP.end, end: body.length });
    functions++;
  }
  expect(functions).toBeGreaterThan(3_000);
  expect(Buffer.from(module.toBytes())).toEqual(Buffer.from(emulator()));
});

test("a damaged module is refused with a WasmError, never with another", () => {
  const random = randomFrom(seed);
  for (let round = 0; round < 3_000; round++) {
    const bytes = Uint8Array.from(HAND_MADE.subarray(0, 8 + random() * HAND_MADE.length));
    for (let flips = random() * 3; flips > 0; flips--)
      bytes[random() * bytes.length] = random() * 256;
    try {
      const module = new WasmModule(bytes);
      for (const index of module.functionIndices()) Array.from(instructions(module.body(index)));
      module.functionNamed("twice");
      module.toBytes();
    } catch (error) {
      expect(error, `MOM_SEED=${seed}, round ${round}`).toBeInstanceOf(WasmError);
    }
  }
});
