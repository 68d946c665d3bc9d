import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Cpu, V86Emulator } from "../../workers/machine/v86-internals.ts";
import { WasmModule } from "../../workers/machine/wasm/module.ts";
import { addWriteTracking } from "../../workers/machine/write-tracking.ts";
import { trackPages, type WrittenPages } from "../../workers/machine/written-pages.ts";
import { bareEmulator, publishedWasm } from "./support/bare-emulator.ts";

/** A processor without a BIOS or devices to speak of, whose programs are put into memory by hand. */
let v86: V86Emulator;
let cpu: Cpu & { write_blob(blob: Uint8Array, at: number): void };
let pages: WrittenPages;
let tlbAddress: number;

beforeAll(async () => {
  const tracked = new WasmModule(publishedWasm());
  tlbAddress = addWriteTracking(tracked).tlbAddress;
  v86 = await bareEmulator(tracked.toBytes());
  cpu = v86.v86.cpu as typeof cpu;
  pages = trackPages(cpu);
});

afterAll(() => v86.destroy());

test("before anything is known, every page may have been written", () => {
  expect(pages.take()?.length).toBe((16 << 20) / 4096);
  expect(pages.take()).toEqual(Uint32Array.of());
});

/** What v86's JavaScript does to RAM, and the pages that it changes. */
const SCRIPT_WRITES: [string, () => void, number[]][] = [
  ["a blob over two pages", () => cpu.write_blob(new Uint8Array(100), 0x5fd0), [5, 6]],
  ["words", () => call("write32", 0x7ffe, 1), [7, 8]],
  ["half words", () => call("write16", 0x9fff, 1), [9, 10]],
  ["bytes", () => call("write8", 0xb000, 1), [11]],
  ["zeroes", () => cpu.zero_memory(0xcfff, 0x1002), [12, 13, 14]],
  ["an element", () => Reflect.set(cpu.mem8, 0x10_000, 1), [16]],
  ["an element of a word", () => Reflect.set(cpu.mem32s, 0x11_000 / 4, 1), [17]],
  ["elements", () => cpu.mem8.set([1, 2, 3], 0x12_fff), [18, 19]],
];

test.each(SCRIPT_WRITES)("v86's devices write %s", (_what, write, expected) => {
  pages.take();
  write();
  expect(Array.from(pages.take() ?? [])).toEqual(expected);
});

test("what writes at large may have written everywhere; reading writes nothing", () => {
  pages.take();
  cpu.mem8.subarray(0, 10);
  cpu.mem8.slice(0, 10);
  expect([cpu.mem8[0x20_000], cpu.mem8.length]).toEqual([0, 16 << 20]);
  expect(pages.take()).toEqual(Uint32Array.of());
  cpu.mem8.copyWithin(0x20_000, 0x30_000, 0x30_001);
  expect(pages.take()?.length).toBe((16 << 20) / 4096);
});

const [AX_2000, AX_3000, AX_4000] = [0x20, 0x30, 0x40].map((high) => [0xb8, 0x00, high]);

/** Programs in real mode, and the pages that they write. */
const PROGRAMS: [string, (number[] | undefined)[], number[]][] = [
  [
    "rep stosb over four pages",
    // mov es, ax; mov al, 0x5a; mov di, 0xfff; mov cx, 0x2002; rep stosb
    [AX_2000, [0x8e, 0xc0, 0xb0, 0x5a, 0xbf, 0xff, 0x0f, 0xb9, 0x02, 0x20, 0xf3, 0xaa]],
    [0x20, 0x21, 0x22, 0x23],
  ],
  [
    "pushes across a page's end",
    // mov ss, ax; mov sp, 0x1001; push ax
    [AX_3000, [0x8e, 0xd0, 0xbc, 0x01, 0x10, 0x50]],
    [0x30, 0x31],
  ],
  [
    "a word over two pages, a bit, the FPU's state, and read-modify-write",
    [
      AX_4000,
      [0x8e, 0xd8], // mov ds, ax
      [0x66, 0xa3, 0xfe, 0x0f], // mov [0xffe], eax
      [0x0f, 0xba, 0x2e, 0x00, 0x20, 0x03], // bts word [0x2000], 3
      [0x66, 0xdd, 0x36, 0x00, 0x30], // fnsave [0x3000], of 32 bits
      [0xfe, 0x06, 0x00, 0x50], // inc byte [0x5000]
    ],
    [0x40, 0x41, 0x42, 0x43, 0x45],
  ],
];

beforeEach(() => {
  // Where an x86 begins: jmp 0000:7c00.
  cpu.write_blob(Uint8Array.of(0xea, 0x00, 0x7c, 0x00, 0x00), 0xffff0);
});

test.each(PROGRAMS)("a program writes %s", async (_what, code, expected) => {
  const program = code.flatMap((part) => part ?? []);
  cpu.write_blob(Uint8Array.from([0xfa, ...program, 0xf4]), 0x7c00); // cli … hlt
  call("reset_cpu");
  pages.take();
  expect(validTranslations(), "the TLB is empty").toBe(0);
  const before = Buffer.from(cpu.mem8.buffer, cpu.mem8.byteOffset, cpu.mem8.length);
  const copy = Buffer.from(before);
  await v86.run();
  await expect.poll(() => cpu.in_hlt[0]).toBe(1);
  await v86.stop();

  const written = Array.from(pages.take() ?? []);
  const now = Buffer.from(cpu.mem8.buffer, cpu.mem8.byteOffset, cpu.mem8.length);
  const changed = Array.from({ length: now.length / 4096 }, (_, page) => page).filter((page) =>
    now.compare(copy, page * 4096, page * 4096 + 4096, page * 4096, page * 4096 + 4096),
  );
  expect(written).toEqual(expected);
  expect(written).toEqual(expect.arrayContaining(changed));
  expect(changed.length).toBeGreaterThan(0);
});

function call(name: string, ...parameters: number[]): void {
  (cpu.wm.exports[name] as (...parameters: number[]) => void)(...parameters);
}

function validTranslations(): number {
  const entries = new Int32Array(cpu.mem8.buffer, tlbAddress, 1 << 20);
  return entries.reduce((count, entry) => count + (entry === 0 ? 0 : 1), 0);
}
