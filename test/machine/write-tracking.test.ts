import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { signed, WasmError } from "../../workers/machine/wasm/encoding.ts";
import { accessOffset, instructions, OP } from "../../workers/machine/wasm/instructions.ts";
import { WasmModule } from "../../workers/machine/wasm/module.ts";
import { addWriteTracking, isKnownEmulator } from "../../workers/machine/write-tracking.ts";

const wasm = readFileSync(createRequire(import.meta.url).resolve("v86/build/v86.wasm"));

/** How often functions that match store words at `address`, other than a constant. */
function storesAt(module: WasmModule, address: number): Map<number, number> {
  const found = new Map<number, number>();
  for (const index of module.functionIndices()) {
    const body = module.body(index);
    let before = -1;
    for (const instruction of instructions(body)) {
      const isStore = instruction.opcode === OP.i32Store && before !== OP.i32Const;
      if (isStore && accessOffset(body, instruction) === address) {
        found.set(index, (found.get(index) ?? 0) + 1);
      }
      before = instruction.opcode;
    }
  }
  return found;
}

test("the v86.wasm in use is the one that was read; any other is not known", () => {
  expect(isKnownEmulator(wasm)).toBe(true);
  const other = Uint8Array.from(wasm);
  other[1_000_000] = (other[1_000_000] ?? 0) ^ 1;
  expect(isKnownEmulator(other)).toBe(false);
});

test("v86 fills its TLB in one place, and after the change through the added function alone", async () => {
  const tracked = new WasmModule(wasm);
  const { tlbAddress } = addWriteTracking(tracked);
  const changed = tracked.toBytes();
  const [before, after] = [new WasmModule(wasm), new WasmModule(changed)];
  const walk = before.functionNamed("3cpu12do_page_walk");
  expect(storesAt(before, tlbAddress)).toEqual(new Map([[walk, 1]]));
  const added = [...after.functionIndices()].at(-1) ?? -1;
  expect(storesAt(after, tlbAddress)).toEqual(new Map([[added, 1]]));
  const module = await WebAssembly.compile(changed);
  expect(WebAssembly.Module.exports(module).map(({ name }) => name)).toEqual(
    expect.arrayContaining(["_mom_ram", "_mom_pages", "_mom_map"]),
  );
});

test("the functions that reach the TLB by pointer are those that were read: they clear it, or change flags", () => {
  const module = new WasmModule(wasm);
  const { tlbAddress } = addWriteTracking(new WasmModule(wasm));
  const pointer = Buffer.from([OP.i32Const, ...signed(tlbAddress)]);
  const found = [...module.functionIndices()].filter((index) =>
    [...instructions(module.body(index))].some(
      ({ opcode, at, end }) =>
        opcode === OP.i32Const && pointer.equals(module.body(index).subarray(at, end)),
    ),
  );
  const read = [
    // Code that is generated holds the address to look entries up.
    ...[
      "24jit_analyze_and_generate",
      "13gen_safe_read",
      "14gen_safe_write",
      "19gen_safe_read_write",
    ],
    "21gen_page_switch_check",
    // Look up an address of 80 or 128 bits.
    ...["14instr_DB_5_mem", "18instr16_0FC7_1_mem"],
    // Clear entries.
    ...["12do_page_walk", "7set_cr0"],
    // Set and clear TLB_HAS_CODE.
    ...["16tlb_set_has_code", "18jit_dirty_page_ctx4free"],
  ].map((name) => module.functionNamed(name));
  const exported = [
    "clear_tlb",
    "full_clear_tlb",
    "reset_cpu",
    "main_loop",
    "codegen_finalize_finished",
  ];
  const known = new Set([...read, ...exported.map((name) => module.exportedFunction(name))]);
  expect(found.filter((index) => !known.has(index))).toEqual([]);
});

test("a module without v86's TLB is refused", () => {
  const empty = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  expect(() => addWriteTracking(new WasmModule(empty))).toThrow(WasmError);
});
