import { describe, expect, test } from "vitest";
import type { BufferChain, Cpu, VirtIOOptions } from "../../workers/machine/v86-internals.ts";
import { HEADER_BYTES, VirtioNet } from "../../workers/machine/virtio-net.ts";

/** The driver's side of a ring, as v86's VirtQueue shows it to a device. */
class Ring {
  readonly available: Uint8Array[] = [];
  readonly used: number[] = [];
  flushes = 0;
  lieLength: number | undefined;

  is_configured = () => true;
  has_request = () => this.available.length > 0;
  count_requests = () => this.available.length;
  flush_replies = () => {
    this.flushes++;
  };
  push_reply = (chain: { written: number }) => {
    this.used.push(chain.written);
  };
  pop_request = (): BufferChain & { written: number } => {
    const buffer = this.available.shift() ?? new Uint8Array(0);
    const length = this.lieLength ?? buffer.length;
    const chain = {
      written: 0,
      length_readable: length,
      length_writable: length,
      get_next_blob: (target: Uint8Array) => {
        target.set(buffer.subarray(0, target.length));
        return Math.min(target.length, buffer.length);
      },
      set_next_blob: (source: Uint8Array) => {
        buffer.set(source);
        chain.written += source.length;
        return source.length;
      },
    };
    return chain;
  };
}

function plugged() {
  const receive = new Ring();
  const transmit = new Ring();
  let built: VirtIOOptions | undefined;
  class FakeVirtIO {
    readonly queues = [receive, transmit];
    constructor(_cpu: unknown, options?: VirtIOOptions) {
      built = options;
    }
  }
  const cpu = { devices: { virtio_9p: { virtio: new FakeVirtIO(undefined) } } } as unknown as Cpu;
  const frames: Uint8Array[] = [];
  const broken: string[] = [];
  const card = new VirtioNet(cpu, {
    mtuBytes: 1500,
    onFrame: (frame) => frames.push(frame),
    onRoom: () => {},
    onBroken: (reason) => broken.push(reason),
  });
  return {
    card,
    receive,
    transmit,
    frames,
    broken,
    kick: () => built?.notification.handlers[1]?.(1),
  };
}

/** With the room in front that a header takes. */
const frameOf = (bytes: number) =>
  new Uint8Array(HEADER_BYTES + bytes).fill(7).subarray(HEADER_BYTES);

describe("a frame to the guest", () => {
  test("has a header that says how many buffers and how large segments", () => {
    const { card, receive } = plugged();
    const buffers = [1, 2, 3].map(() => new Uint8Array(1536));
    receive.available.push(...buffers);
    card.send(frameOf(4_000), 1_460);
    expect(receive.used).toEqual([1536, 1536, 4_012 - 2 * 1536]);
    const [first = new Uint8Array(0)] = buffers;
    // Flags, kind, header length, segment size, checksum's start and offset, buffers: little endian.
    expect([...first.subarray(0, 13)]).toEqual([2, 1, 0, 0, 0xb4, 5, 0, 0, 0, 0, 3, 0, 7]);
  });

  test("is lost when the guest took its buffers away, and they go back unused", () => {
    const { card, receive, broken } = plugged();
    receive.available.push(new Uint8Array(1536));
    card.send(frameOf(4_000), 0);
    expect(receive.used).toEqual([0]);
    expect(broken).toEqual([]);
  });

  test("is one of a batch with one interrupt", async () => {
    const { card, receive } = plugged();
    receive.available.push(...[1, 2, 3].map(() => new Uint8Array(1536)));
    for (let i = 0; i < 3; i++) card.send(frameOf(60), 0);
    expect(receive.flushes).toBe(0);
    await Promise.resolve();
    expect(receive.flushes).toBe(1);
  });

  test("finds room only where the largest would", () => {
    const { card, receive } = plugged();
    receive.available.push(...Array.from({ length: 42 }, () => new Uint8Array(1536)));
    expect(card.room).toBe(0);
    receive.available.push(new Uint8Array(1536));
    expect(card.room).toBe(1);
  });

  test.each([0, -1, 11, 0x7fffffff])("a buffer of %i bytes ends the machine", (length) => {
    const { card, receive, broken } = plugged();
    receive.available.push(new Uint8Array(1536));
    receive.lieLength = length;
    card.send(frameOf(60), 0);
    expect(broken).toHaveLength(1);
  });
});

describe("a frame of the guest's", () => {
  test("comes without its header, and its buffer goes back", () => {
    const { transmit, frames, kick } = plugged();
    transmit.available.push(Uint8Array.from([...new Array(HEADER_BYTES).fill(0), 1, 2, 3]));
    kick();
    expect(frames.map((frame) => [...frame])).toEqual([[1, 2, 3]]);
    expect(transmit.used).toEqual([0]);
    expect(transmit.flushes).toBe(1);
  });

  test.each([0, -1, HEADER_BYTES, 65_562, 0x7fffffff])(
    "of a length of %i with the header takes no memory, and is dropped",
    (length) => {
      const { transmit, frames, broken, kick } = plugged();
      transmit.available.push(new Uint8Array(100));
      transmit.lieLength = length;
      kick();
      expect(frames).toEqual([]);
      expect(broken).toEqual([]);
      expect(transmit.used).toEqual([0]);
    },
  );

  test("at an address that is not there ends the machine, not the process", () => {
    const { transmit, broken, kick } = plugged();
    transmit.available.push(new Uint8Array(100));
    transmit.pop_request = () => {
      throw new RangeError("offset is out of bounds");
    };
    kick();
    expect(broken).toEqual([expect.stringContaining("offset is out of bounds")]);
  });
});
