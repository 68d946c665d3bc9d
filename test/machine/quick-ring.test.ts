import { describe, expect, test } from "vitest";
import { quickenQueue } from "../../workers/machine/quick-ring.ts";
import type { Cpu, VirtQueue } from "../../workers/machine/v86-internals.ts";

const RAM_BYTES = 65_536;
const TABLE = 0x1000;
const INDIRECT_TABLE = 0x2000;
const NEXT = 1;
const WRITABLE = 2;
const INDIRECT = 4;

/** A ring of 8 in a small memory, with the descriptor that the guest offers next. */
function ring(head = 3) {
  const dirty: [number, number][] = [];
  const cpu = {
    mem8: new Uint8Array(RAM_BYTES),
    wm: { exports: { jit_dirty_cache: (...range: [number, number]) => dirty.push(range) } },
  };
  const queue = {
    size: 8,
    desc_addr: TABLE,
    avail_last_idx: 0xffff,
    avail_get_entry: () => head,
  } as unknown as VirtQueue;
  quickenQueue(cpu as unknown as Pick<Cpu, "mem8" | "wm">, queue);
  const describeAt = (
    place: number,
    [address, length, flags = 0, next = 0]: readonly [number, number, number?, number?],
  ) => {
    const words = new DataView(cpu.mem8.buffer);
    words.setUint32(place, address, true);
    words.setInt32(place + 8, length, true);
    words.setUint16(place + 12, flags, true);
    words.setUint16(place + 14, next, true);
  };
  return { cpu, queue, dirty, describeAt };
}

describe("a request", () => {
  test("of several descriptors is read in their order, and counts one", () => {
    const { cpu, queue, describeAt } = ring();
    cpu.mem8.set([1, 2, 3], 0x4000);
    cpu.mem8.set([4, 5], 0x5000);
    describeAt(TABLE + 3 * 16, [0x4000, 3, NEXT, 7]);
    describeAt(TABLE + 7 * 16, [0x5000, 2]);
    const chain = queue.pop_request();
    expect(chain).toMatchObject({ head_idx: 3, length_readable: 5, length_writable: 0 });
    const bytes = new Uint8Array(5);
    expect(chain.get_next_blob(bytes)).toBe(5);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5]);
    expect(queue.avail_last_idx).toBe(0);
  });

  test("in a table of its own is followed there", () => {
    const { cpu, queue, describeAt } = ring();
    cpu.mem8[0x4000] = 9;
    describeAt(TABLE + 3 * 16, [INDIRECT_TABLE, 32, INDIRECT]);
    describeAt(INDIRECT_TABLE, [0x4000, 1, NEXT, 1]);
    describeAt(INDIRECT_TABLE + 16, [0x5000, 100, WRITABLE]);
    const chain = queue.pop_request();
    expect(chain).toMatchObject({ length_readable: 1, length_writable: 100 });
    const bytes = new Uint8Array(1);
    chain.get_next_blob(bytes);
    expect([...bytes]).toEqual([9]);
  });

  test("that is written tells how much, and has its pages' code dropped and the pages noted", () => {
    const { cpu, queue, dirty, describeAt } = ring();
    describeAt(TABLE + 3 * 16, [0x4ffe, 2, WRITABLE | NEXT, 4]);
    describeAt(TABLE + 4 * 16, [0x6000, 8, WRITABLE]);
    const chain = queue.pop_request();
    expect(chain.set_next_blob(Uint8Array.of(1, 2, 3))).toBe(3);
    expect(chain).toMatchObject({ length_written: 3 });
    expect([...cpu.mem8.subarray(0x4ffe, 0x5000), ...cpu.mem8.subarray(0x6000, 0x6002)]).toEqual([
      1, 2, 3, 0,
    ]);
    expect(dirty).toEqual([
      [0x4ffe, 0x5000],
      [0x6000, 0x6001],
    ]);
  });

  test("is found where the memory is after it has grown", () => {
    const { cpu, queue, describeAt } = ring();
    describeAt(TABLE + 3 * 16, [0x4000, 1]);
    queue.pop_request();
    cpu.mem8 = new Uint8Array(structuredClone(cpu.mem8.buffer, { transfer: [cpu.mem8.buffer] }));
    cpu.mem8[0x4000] = 7;
    const bytes = new Uint8Array(1);
    expect(queue.pop_request().get_next_blob(bytes)).toBe(1);
    expect([...bytes]).toEqual([7]);
  });
});

describe("a hostile guest's request", () => {
  test("that goes round in a ring of descriptors ends", () => {
    const { queue, describeAt } = ring();
    describeAt(TABLE + 3 * 16, [0x4000, 1, NEXT, 3]);
    expect(queue.pop_request().length_readable).toBe(9);
  });

  test("whose table says that it has millions of descriptors ends with those of a queue", () => {
    const { queue, describeAt } = ring(0);
    describeAt(TABLE, [INDIRECT_TABLE, 0x7fff_fff0, INDIRECT]);
    describeAt(INDIRECT_TABLE, [0x4000, 1, NEXT, 0]);
    expect(queue.pop_request().length_readable).toBe(9);
  });

  test.each([
    ["its own table", TABLE],
    ["another", INDIRECT_TABLE],
  ])("with a table in a table, %s, is refused", (_, table) => {
    const { queue, describeAt } = ring(0);
    describeAt(TABLE, [table, 128, INDIRECT]);
    describeAt(INDIRECT_TABLE, [TABLE, 128, INDIRECT]);
    expect(() => queue.pop_request()).toThrow(RangeError);
  });

  test.each([
    [RAM_BYTES - 4, 8],
    [0xffff_fff0, 8],
    [RAM_BYTES + 1, 1],
  ])("for bytes at %i, %i of them, that are not in memory is refused", (address, length) => {
    for (const flags of [0, WRITABLE]) {
      const { queue, dirty, describeAt } = ring();
      describeAt(TABLE + 3 * 16, [address, length, flags]);
      const chain = queue.pop_request();
      const move = flags === 0 ? "get_next_blob" : "set_next_blob";
      expect(() => chain[move](new Uint8Array(length))).toThrow(RangeError);
      expect(dirty).toEqual([]);
    }
  });

  test("whose table is not in memory is refused", () => {
    const { queue } = ring();
    queue.desc_addr = RAM_BYTES - 8;
    expect(() => queue.pop_request()).toThrow(RangeError);
  });

  test("of a negative length moves nothing", () => {
    const { queue, describeAt } = ring();
    describeAt(TABLE + 3 * 16, [0x4000, -5]);
    const chain = queue.pop_request();
    expect(chain.length_readable).toBe(-5);
    expect(() => chain.get_next_blob(new Uint8Array(1))).toThrow(RangeError);
  });
});
