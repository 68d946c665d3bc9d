import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChunkQueue } from "../../relay/chunk-queue.ts";
import { ReadBuffers, StreamReader } from "../../relay/read-buffers.ts";
import { integersFrom } from "../support/random.ts";

const LARGE = 65_536;
const SMALL = 4_096;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What the system would read: `length` bytes of one value. */
function read(reader: StreamReader, length: number, value: number) {
  const buffer = reader.next();
  const taken = Math.min(length, buffer.length);
  buffer.fill(value, 0, taken);
  return reader.received(taken);
}

test("a stream in flow reads into large buffers, one that says little into a small one", () => {
  const buffers = new ReadBuffers();
  const reader = new StreamReader(buffers);
  expect(reader.next()).toHaveLength(SMALL);
  expect(read(reader, 100, 1)).toEqual({ bytes: new Uint8Array(100).fill(1) });
  expect(reader.next()).toHaveLength(SMALL);
  expect(read(reader, 1e6, 2).bytes).toHaveLength(SMALL);
  expect(reader.next()).toHaveLength(LARGE);
  const full = read(reader, 1e6, 3);
  expect(full.bytes).toEqual(new Uint8Array(LARGE).fill(3));
  expect(reader.next()).toHaveLength(LARGE);
  // Copied, since it fills less than half of its buffer, which the next read takes again.
  const half = read(reader, 20_000, 4);
  expect(half.release).toBeUndefined();
  expect(half.bytes.buffer.byteLength).toBe(20_000);
  expect(reader.next()).toHaveLength(LARGE);
  read(reader, 10, 5);
  expect(reader.next()).toHaveLength(SMALL);
  expect(buffers.freeCount).toBe(1);
  // Nobody has released the full one.
  expect(full.bytes).toEqual(new Uint8Array(LARGE).fill(3));
});

test("a released buffer serves again, one released twice only once", () => {
  const buffers = new ReadBuffers();
  const reader = new StreamReader(buffers);
  read(reader, SMALL, 1);
  const first = read(reader, LARGE, 2);
  first.release?.();
  first.release?.();
  expect(buffers.freeCount).toBe(1);
  const second = read(reader, LARGE, 3);
  const third = read(reader, LARGE, 4);
  expect(second.bytes.buffer).toBe(first.bytes.buffer);
  expect(third.bytes.buffer).not.toBe(second.bytes.buffer);
});

test("a closed stream keeps no buffer", () => {
  const buffers = new ReadBuffers();
  const reader = new StreamReader(buffers);
  read(reader, SMALL, 1);
  expect(reader.next()).toHaveLength(LARGE);
  reader.close();
  expect(buffers.freeCount).toBe(1);
  reader.close();
  expect(buffers.freeCount).toBe(1);
  expect(reader.next()).toHaveLength(SMALL);
});

test("buffers that nobody needs any more are let go", () => {
  const buffers = new ReadBuffers();
  const taken = Array.from({ length: 100 }, () => buffers.take());
  for (const buffer of taken) buffers.give(buffer);
  expect(buffers.freeCount).toBe(100);
  for (let round = 0; round < 6; round++) {
    // Ten are in use now and then.
    const some = Array.from({ length: 10 }, () => buffers.take());
    for (const buffer of some) buffers.give(buffer);
    vi.advanceTimersByTime(10_000);
  }
  expect(buffers.freeCount).toBe(10);
  vi.advanceTimersByTime(20_000);
  expect(buffers.freeCount).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([1, 2, 3])(
  "whatever streams read and queues let go, no bytes change before that (seed %i)",
  (seed) => {
    const random = integersFrom(seed);
    const buffers = new ReadBuffers();
    const streams = Array.from({ length: 8 }, () => ({
      reader: new StreamReader(buffers),
      queue: new ChunkQueue(),
      /** The value of each byte that waits. */
      expected: [] as number[],
      lent: 0,
    }));
    let released = 0;
    for (let step = 0; step < 1_500; step++) {
      const stream = streams[random(streams.length)];
      if (stream === undefined) continue;
      const { reader, queue, expected } = stream;
      if (random(2) === 0 && expected.length < 200_000) {
        const value = random(256);
        const { bytes, release } = read(reader, random(4) === 0 ? random(2_000) + 1 : LARGE, value);
        const told = () => {
          released++;
          stream.lent--;
          release?.();
        };
        if (release) stream.lent++;
        queue.push(bytes, release && told);
        for (let at = 0; at < bytes.length; at++) expected.push(value);
      } else if (random(50) === 0) {
        queue.clear();
        expected.length = 0;
      } else {
        const length = random(Math.min(expected.length, LARGE) + 1);
        const copy = new Uint8Array(length);
        queue.copy(0, length, copy, 0);
        const wrong = copy.findIndex((byte, at) => byte !== expected[at]);
        expect(wrong, `seed ${seed}, step ${step}`).toBe(-1);
        queue.consume(length);
        expected.splice(0, length);
      }
      expect(queue.length).toBe(expected.length);
      // Each chunk but those of which something waits is released.
      expect(stream.lent, `seed ${seed}, step ${step}`).toBeLessThanOrEqual(
        expected.length / (LARGE / 2) + 1,
      );
    }
    expect(released).toBeGreaterThan(100);
    for (const { reader, queue } of streams) {
      queue.clear();
      reader.close();
    }
    // All are back, and each is there once.
    const all = new Set(Array.from({ length: buffers.freeCount }, () => buffers.take()));
    expect(all.size).toBeGreaterThan(10);
    expect([...all].every((buffer) => buffer.length === LARGE)).toBe(true);
  },
);
