import { createHash } from "node:crypto";
import { u32, WasmError } from "./wasm/encoding.ts";
import {
  accessOffset,
  I32,
  type Instruction,
  instructions,
  instructionsAt,
  NO_RESULT,
  OP,
} from "./wasm/instructions.ts";
import type { WasmModule } from "./wasm/module.ts";

/**
 * Makes v86.wasm note which pages of guest RAM are written (docs/dirty-pages.md says why this finds them all).
 *
 * A guest writes through v86's TLB, and an entry that lets it write is stored in one place only, in
 * `do_page_walk`. All writes by physical address call `jit_dirty_page_ctx` first. Both are changed to set the
 * page's byte in a map. v86 0.5.462, src/rust/cpu/cpu.rs, src/rust/jit.rs, src/rust/cpu/memory.rs.
 */

/** The v86.wasm that was read for this: of v86 0.5.462. */
const KNOWN_SHA256 = "aa0d0e149d6b60063b85de4871e78505637ce92821e14a9f9802c4008ba2336e";

/** Exports that are added: where guest RAM begins, how many pages it has, and where the map of them begins. */
export const TRACKING_GLOBALS = { ram: "_mom_ram", pages: "_mom_pages", map: "_mom_map" } as const;

/** cpu.rs, TLB_VALID and TLB_READONLY. */
const VALID = 1;
const VALID_OR_READONLY = 3;
const PAGE_SHIFT = 12;
/** From the place of a TLB entry, page number × 4, to the virtual address of its page. */
const ENTRY_TO_ADDRESS_SHIFT = PAGE_SHIFT - 2;
/** Alignment of a word, as a power of two. */
const WORD_ALIGNED = 2;

export function isKnownEmulator(wasm: Uint8Array): boolean {
  return createHash("sha256").update(wasm).digest("hex") === KNOWN_SHA256;
}

/** @throws WasmError where the code does not look as it must. */
export function addWriteTracking(module: WasmModule): { tlbAddress: number } {
  const walk = module.functionNamed("3cpu12do_page_walk");
  const dirty = module.functionNamed("3jit18jit_dirty_page_ctx");
  const clear = module.exportedFunction("full_clear_tlb");
  const tlbAddress = findTlb(module.body(walk), module.body(clear));

  const ram = module.addGlobal(TRACKING_GLOBALS.ram);
  const pages = module.addGlobal(TRACKING_GLOBALS.pages);
  const map = module.addGlobal(TRACKING_GLOBALS.map);
  const markPage = module.addFunction([I32], [], markPageBody(pages, map));
  const storeEntry = module.addFunction([I32, I32], [], storeEntryBody(tlbAddress, ram, markPage));

  module.setBody(walk, replaceEntryStore(module.body(walk), tlbAddress, storeEntry));
  module.setBody(dirty, startWithPage(module.body(dirty), markPage));
  return { tlbAddress };
}

/** One `i32.store`, with the two instructions before it. */
interface Store {
  store: Instruction;
  address: number;
  before: readonly Instruction[];
}

function* wordStores(body: Uint8Array): Generator<Store> {
  let before: Instruction[] = [];
  for (const instruction of instructions(body)) {
    if (instruction.opcode === OP.i32Store) {
      yield { store: instruction, address: accessOffset(body, instruction), before };
    }
    before = [...before, instruction].slice(-2);
  }
}

/** The address of `tlb_data`: `do_page_walk` stores an entry into it by index, `full_clear_tlb` stores zeroes. */
function findTlb(walk: Uint8Array, clear: Uint8Array): number {
  const cleared = new Set(
    [...wordStores(clear)]
      .filter(({ before }) => before[0]?.opcode === OP.localGet && storesConstant(before))
      .map(({ address }) => address),
  );
  const filled = [...wordStores(walk)].filter(storesEntry).map(({ address }) => address);
  const [only, ...others] = filled.filter((address) => cleared.has(address));
  if (only === undefined || others.length > 0) {
    throw new WasmError("v86's TLB was not found: this is not the emulator that Mom knows");
  }
  return only;
}

/** `… i32.shl, local.get entry, i32.store`: at index × 4. */
function storesEntry({ before }: Store): boolean {
  return before[0]?.opcode === OP.i32Shl && before[1]?.opcode === OP.localGet;
}

function storesConstant(before: readonly Instruction[]): boolean {
  return before[1]?.opcode === OP.i32Const;
}

/** A call takes the same two operands from the stack as the store that it stands for. */
function replaceEntryStore(body: Uint8Array, tlbAddress: number, storeEntry: number): Uint8Array {
  const stores = [...wordStores(body)].filter(({ address }) => address === tlbAddress);
  const [entry, ...others] = stores.filter((store) => !storesConstant(store.before));
  if (entry === undefined || others.length > 0 || !storesEntry(entry)) {
    throw new WasmError(`${others.length + 1} places in do_page_walk fill the TLB, not one`);
  }
  const { at, end } = entry.store;
  const call = Uint8Array.from([OP.call, ...u32(storeEntry)]);
  return Buffer.concat([body.subarray(0, at), call, body.subarray(end)]);
}

/** `jit_dirty_page_ctx(context, page)`, with a call for the page before all else. */
function startWithPage(body: Uint8Array, markPage: number): Uint8Array {
  const page = 1;
  const at = instructionsAt(body);
  const call = Uint8Array.from([OP.localGet, page, OP.call, ...u32(markPage)]);
  return Buffer.concat([body.subarray(0, at), call, body.subarray(at)]);
}

/** `(page) => { if (page < pages) memory[map + page] = 1 }`; there are no pages before the host says so. */
function markPageBody(pages: number, map: number): Uint8Array {
  const page = 0;
  return Uint8Array.from([
    ...[0], // no locals
    ...[OP.localGet, page, OP.globalGet, ...u32(pages), OP.i32LtU, OP.if, NO_RESULT],
    ...[OP.localGet, page, OP.globalGet, ...u32(map), OP.i32Add],
    ...[OP.i32Const, 1, OP.i32Store8, 0, 0],
    ...[OP.end, OP.end],
  ]);
}

/**
 * `(at, entry) => { tlb[at] = entry; if (entry lets write) markPage(…) }`. An entry is the page's address in wasm
 * memory ^ its virtual address | flags, and `at` is the virtual page's number × 4. Pages of devices, beyond RAM,
 * are no page of the map's.
 */
function storeEntryBody(tlbAddress: number, ram: number, markPage: number): Uint8Array {
  const [at, entry] = [0, 1];
  return Uint8Array.from([
    ...[0], // no locals
    ...[OP.localGet, at, OP.localGet, entry, OP.i32Store, WORD_ALIGNED, ...u32(tlbAddress)],
    ...[OP.localGet, entry, OP.i32Const, VALID_OR_READONLY, OP.i32And],
    ...[OP.i32Const, VALID, OP.i32Eq, OP.if, NO_RESULT],
    ...[OP.localGet, entry, OP.localGet, at, OP.i32Const, ENTRY_TO_ADDRESS_SHIFT, OP.i32Shl],
    ...[OP.i32Xor, OP.globalGet, ...u32(ram), OP.i32Sub],
    ...[OP.i32Const, PAGE_SHIFT, OP.i32ShrU, OP.call, ...u32(markPage)],
    ...[OP.end, OP.end],
  ]);
}
