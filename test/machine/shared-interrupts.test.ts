import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { shareInterrupts } from "../../workers/machine/shared-interrupts.ts";
import type { Cpu, V86Emulator, VirtIO } from "../../workers/machine/v86-internals.ts";
import { VirtioNet } from "../../workers/machine/virtio-net.ts";
import { bareEmulator, publishedWasm } from "./support/bare-emulator.ts";

/** v86's own devices, bus and interrupt controller; nobody runs on its processor. */
type Board = Cpu & {
  io: { port_read8(port: number): number; port_write32(port: number, value: number): void };
  wasm_memory: { buffer: ArrayBuffer };
};

const PCI_ADDRESS = 0xcf8;
const PCI_DATA = 0xcfc;
/** Configuration of the bridge, which says where the bus's four lines lead. */
const ROUTES = 0x8000_0860;
/** Within the controller of lines 8 to 15 (src/rust/cpu/pic.rs `Pic0`): its requests, and which lines are level-triggered. */
const REQUESTS = 3;
const LEVELS = 10;
const LINES_10_AND_11 = 0b1100;

const CARD_PCI_ID = 0x0a << 3;

let v86: V86Emulator;
let board: Board;
let files: VirtIO;
/** In a slot whose line is that of `files`. */
let card: VirtIO;
/** In one whose line is another, where the bridge has more than one. */
let console: VirtIO;

beforeAll(async () => {
  const devices = { filesystem: { handle9p: () => {} }, virtio_console: true };
  v86 = await bareEmulator(publishedWasm(), devices);
  board = v86.v86.cpu as Board;
  files = board.devices.virtio_9p.virtio;
  console = board.devices.virtio_console.virtio;
  new VirtioNet(board, { mtuBytes: 1500, onWork: () => {}, onBroken: () => {} });
  card = board.devices.pci.devices[CARD_PCI_ID] as VirtIO;
  shareInterrupts(board);
  controller()[LEVELS] = LINES_10_AND_11;
});

afterAll(() => v86.destroy());

beforeEach(() => {
  lead([10, 10, 10, 10]);
  for (const device of [files, console, card]) ask(device);
});

function controller(): Uint8Array {
  const address = board.wm.exports.get_pic_addr_slave as () => number;
  return new Uint8Array(board.wasm_memory.buffer, address(), LEVELS + 1);
}

function lead(lines: readonly [number, number, number, number]): void {
  board.io.port_write32(PCI_ADDRESS, ROUTES | 0);
  board.io.port_write32(PCI_DATA, Buffer.from(lines).readInt32LE());
}

const tell = (device: VirtIO): void =>
  (device as VirtIO & { raise_irq(type: number): void }).raise_irq(1);

/** As the guest's driver does it: reads why it was interrupted, which lowers the line. */
const ask = (device: VirtIO): number =>
  board.io.port_read8(device === files ? 0xa700 : device === console ? 0xb700 : 0xc700);

const raised = (): number[] =>
  [8, 9, 10, 11, 12].filter((line) => ((controller()[REQUESTS] ?? 0) >> (line - 8)) & 1);

test("a line is raised from a device's word until the guest has asked it", () => {
  expect(raised()).toEqual([]);
  tell(files);
  expect(raised()).toEqual([10]);
  expect(ask(files)).toBe(1);
  expect(raised()).toEqual([]);
});

test("a device that tells after it was asked is heard, though another is asked after that", () => {
  tell(files);
  expect(ask(files)).toBe(1);
  tell(files);
  expect(ask(card)).toBe(0);
  expect(raised()).toEqual([10]);
  expect(ask(files)).toBe(1);
  expect(raised()).toEqual([]);
});

test("two devices that tell at once are both heard, in either order", () => {
  for (const [first, second] of [
    [files, card],
    [card, files],
  ] as const) {
    tell(first);
    tell(second);
    expect(ask(first)).toBe(1);
    expect(raised()).toEqual([10]);
    expect(ask(second)).toBe(1);
    expect(raised()).toEqual([]);
  }
});

test("devices on two lines do not touch each other's", () => {
  lead([10, 10, 10, 11]);
  tell(files);
  expect(raised()).toEqual([10]);
  tell(console);
  expect(raised()).toEqual([10, 11]);
  expect(ask(console)).toBe(1);
  expect(raised()).toEqual([10]);
  expect(ask(files)).toBe(1);
  expect(raised()).toEqual([]);
});
