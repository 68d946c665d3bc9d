import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { allotHashes, rememberHashes } from "../../workers/machine/remembered-hashes.ts";
import { sized, vector, WasmError } from "../../workers/machine/wasm/encoding.ts";
import { WasmModule } from "../../workers/machine/wasm/module.ts";
import { integersFrom, seed } from "../support/random.ts";

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, ...content: number[]): number[] => [
  id,
  ...sized(Uint8Array.from(content)),
];
const names = [
  ...[[1, ...text("8hash_oneRNtNtCslOG1uufA09K_3v864page4PageEB1J_")]],
  ...[[2, ...text("8hash_oneRNtNtCslOG1uufA09K_3v863jit14WasmTableIndexEB1J_")]],
].map((entry) => Uint8Array.from(entry));

/**
 * (import "env" "wide" (func (param i64 i64 i32) (result i64))) and "narrow", which the two functions with v86's names
 * call; exports of those, a memory of 6 pages, `v86_malloc`, which gives 65,536; and a global, as there must be one.
 */
const HAND_MADE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 2, ...[0x60, 3, 0x7e, 0x7e, 0x7f, 1, 0x7e], ...[0x60, 1, 0x7f, 1, 0x7f]),
  ...section(2, 1, ...text("env"), ...text("hash"), 0, 0),
  ...section(3, 3, 0, 0, 1),
  ...section(5, 1, 0, 6),
  ...section(6, 1, 0x7f, 1, 0x41, 7, 0x0b),
  ...section(
    7,
    4,
    ...[...text("wide"), 0, 1, ...text("narrow"), 0, 2],
    ...[...text("v86_malloc"), 0, 3, ...text("memory"), 2, 0],
  ),
  ...section(
    10,
    3,
    ...[10, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0x10, 0, 0x0b],
    // The narrow one adds 1.
    ...[13, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0x10, 0, 0x42, 1, 0x7c, 0x0b],
    ...[6, 0, 0x41, 0x80, 0x80, 0x04, 0x0b],
  ),
  ...section(0, ...text("name"), 1, ...sized(vector(names))),
]);

type Hash = (first: bigint, second: bigint, key: number) => bigint;

async function handMade() {
  const computed: string[] = [];
  const hash: Hash = (first, second, key) => {
    computed.push(`${first} ${second} ${key}`);
    return first * 1_000_003n + second * 10_007n + BigInt(key);
  };
  const changed = new WasmModule(HAND_MADE);
  rememberHashes(changed);
  const module = await WebAssembly.compile(changed.toBytes());
  const { exports } = await WebAssembly.instantiate(module, { env: { hash } });
  const { wide, narrow, memory } = exports as {
    wide: Hash;
    narrow: Hash;
    memory: { buffer: ArrayBuffer };
  };
  const allot = (): void =>
    allotHashes({
      wm: { exports } as never,
      mem8: new Uint8Array(memory.buffer),
    });
  return { wide, narrow, computed, hash, allot };
}

test("a hash is computed once for each key of each map", async () => {
  const { wide, narrow, computed, allot } = await handMade();
  allot();
  for (let round = 0; round < 3; round++) {
    const wides = [wide(1n, 2n, 5), wide(2n, 2n, 5), wide(1n, 2n, 6), wide(0n, 0n, 0)];
    expect(wides).toEqual([1_020_022n, 2_020_025n, 1_020_023n, 0n]);
    expect(narrow(3n, 2n, 7)).toBe(3_020_031n);
  }
  expect(computed).toEqual(["1 2 5", "2 2 5", "1 2 6", "0 0 0", "3 2 7"]);
});

test("keys, maps and sizes of keys that meet in the table are told apart", async () => {
  const { wide, narrow, allot } = await handMade();
  allot();
  for (let round = 0; round < 3; round++) {
    expect([wide(1n, 2n, 5), narrow(1n, 2n, 5)]).toEqual([1_020_022n, 1_020_023n]);
    expect([wide(1n, 3n, 5), wide(1n, 2n, 5 + 8192)]).toEqual([1_030_029n, 1_028_214n]);
    expect(wide(1n + (1n << 32n), 2n, 5)).toBe(((1n << 32n) + 1n) * 1_000_003n + 20_014n + 5n);
  }
});

test("whatever keys and maps come in whatever order, every hash is the one that would be computed", async () => {
  const { wide, narrow, computed, hash, allot } = await handMade();
  allot();
  const upTo = integersFrom(seed);
  const rounds = 50_000;
  for (let round = 0; round < rounds; round++) {
    const first = (BigInt(upTo(60)) << 40n) | BigInt(upTo(60));
    const second = 0x8000_0000_0000_0000n + BigInt(upTo(2));
    const key = round % 7 === 0 ? 0xffff_ff00 + upTo(256) : upTo(300);
    const signedFirst = BigInt.asIntN(64, first);
    const signedSecond = BigInt.asIntN(64, second);
    const [get, more] = upTo(2) === 0 ? [wide, 0n] : [narrow, 1n];
    const wanted = BigInt.asIntN(64, hash(signedFirst, signedSecond, key | 0) + more);
    computed.pop();
    expect(get(signedFirst, signedSecond, key | 0), `MOM_SEED=${seed}, round ${round}`).toBe(
      wanted,
    );
  }
  expect(computed.length).toBeLessThan(rounds);
});

test("without a table every hash is computed", async () => {
  const { wide, computed } = await handMade();
  expect([wide(1n, 2n, 5), wide(1n, 2n, 5)]).toEqual([1_020_022n, 1_020_022n]);
  expect(computed).toHaveLength(2);
});

test("v86's own code takes the change; a module without its hashes is refused", async () => {
  const wasm = readFileSync(createRequire(import.meta.url).resolve("v86/build/v86.wasm"));
  const changed = new WasmModule(wasm);
  rememberHashes(changed);
  const module = await WebAssembly.compile(changed.toBytes());
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
  expect(exported).toContain("_mom_hashes");
  const empty = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  expect(() => rememberHashes(new WasmModule(empty))).toThrow(WasmError);
});
