import { allocate, type Cpu, setGlobal } from "./v86-internals.ts";
import { signed, u32 } from "./wasm/encoding.ts";
import { I32, I64, NO_RESULT, OP } from "./wasm/instructions.ts";
import type { WasmModule } from "./wasm/module.ts";

/**
 * Makes v86.wasm remember hashes. At each block of guest code that it interprets, and at each page that it translates
 * an address of, v86 looks into Rust's hash maps (src/rust/jit.rs `entry_points`, `pages`), whose SipHash took a sixth
 * of the time of a process that has compiled little yet. The hash of a key depends on the key and on the map's two
 * numbers, so it is kept with them: same hashes, found in a table.
 */

/** `RandomState::hash_one` for keys of 32 and of 16 bits; all maps of v86 whose keys have that size share them. */
const HASHES = [
  { name: "8hash_oneRNtNtCslOG1uufA09K_3v864page4PageEB1J_", tag: 2 ** 32 },
  { name: "8hash_oneRNtNtCslOG1uufA09K_3v863jit14WasmTableIndexEB1J_", tag: 2 ** 33 },
] as const;
/** Export that is added: where the table begins, 0 for none. */
const TABLE_GLOBAL = "_mom_hashes";
const ENTRIES = 8192;
const ENTRY_SHIFT = 5;
/** Parts of an entry: the key, with a tag for its size, so that none is 0; the map's numbers; the hash. */
const AT = { key: 0, first: 8, second: 16, hash: 24 };
/** Maps made one after another have neighbouring numbers: their keys must not meet. Odd, and no more than that. */
const SPREAD = 2_654_435;

/** Alignment of 8 bytes, as a power of two. */
const LONG_ALIGNED = 3;

/** @throws WasmError where the functions are not there. */
export function rememberHashes(module: WasmModule): void {
  const table = module.addGlobal(TABLE_GLOBAL);
  for (const { name, tag } of HASHES) {
    const index = module.functionNamed(name);
    const compute = module.addFunction([I64, I64, I32], [I64], module.body(index));
    module.setBody(index, lookUp(table, compute, tag));
  }
}

/** Give an emulator of `rememberHashes` its table. */
export function allotHashes(cpu: Pick<Cpu, "wm" | "mem8">): void {
  const bytes = ENTRIES << ENTRY_SHIFT;
  const address = allocate(cpu, bytes);
  new Uint8Array(cpu.mem8.buffer, address, bytes).fill(0);
  setGlobal(cpu, TABLE_GLOBAL, address);
}

/**
 * `(first, second, key) => hash`, where `first` and `second` are the map's numbers.
 *
 * ```
 * if (table == 0) return compute(first, second, key)
 * wanted = key | tag
 * entry = table + ((key + i32(first) * SPREAD) & (ENTRIES - 1)) << ENTRY_SHIFT
 * if (entry is of wanted, first and second) return its hash
 * hash = compute(first, second, key); entry = { wanted, first, second, hash }; return hash
 * ```
 */
function lookUp(table: number, compute: number, tag: number): Uint8Array {
  const [first, second, key, entry, wanted, hash] = [0, 1, 2, 3, 4, 5];
  const computed = [
    ...[OP.localGet, first, OP.localGet, second, OP.localGet, key, OP.call, ...u32(compute)],
  ];
  const kept = (at: number): number[] => [OP.localGet, entry, OP.i64Load, LONG_ALIGNED, at];
  const ifKept = (at: number, local: number): number[] => [
    ...[...kept(at), OP.localGet, local, OP.i64Eq, OP.if, NO_RESULT],
  ];
  const keep = (at: number, local: number): number[] => [
    ...[OP.localGet, entry, OP.localGet, local, OP.i64Store, LONG_ALIGNED, at],
  ];
  return Uint8Array.from([
    ...[2, 1, I32, 2, I64], // locals: entry; wanted, hash
    ...[OP.globalGet, ...u32(table), OP.i32Eqz, OP.if, NO_RESULT],
    ...[...computed, OP.return, OP.end],

    ...[OP.localGet, key, OP.i64ExtendI32U, OP.i64Const, ...signed(tag), OP.i64Or],
    ...[OP.localSet, wanted],
    ...[OP.localGet, first, OP.i32WrapI64, OP.i32Const, ...signed(SPREAD), OP.i32Mul],
    ...[OP.localGet, key, OP.i32Add, OP.i32Const, ...signed(ENTRIES - 1), OP.i32And],
    ...[OP.i32Const, ENTRY_SHIFT, OP.i32Shl, OP.globalGet, ...u32(table), OP.i32Add],
    ...[OP.localSet, entry],

    ...ifKept(AT.key, wanted),
    ...ifKept(AT.first, first),
    ...ifKept(AT.second, second),
    ...[...kept(AT.hash), OP.return, OP.end, OP.end, OP.end],

    ...[...computed, OP.localSet, hash],
    ...[...keep(AT.key, wanted), ...keep(AT.first, first), ...keep(AT.second, second)],
    ...[...keep(AT.hash, hash), OP.localGet, hash, OP.end],
  ]);
}
