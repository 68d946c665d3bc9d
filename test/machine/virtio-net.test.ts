import { describe, expect, test } from "vitest";
import type { BufferChain, Cpu, VirtIOOptions } from "../../workers/machine/v86-internals.ts";
import { HEADER_BYTES, VirtioNet } from "../../workers/machine/virtio-net.ts";

/** The driver's side of a ring, as v86's VirtQueue shows it to a device. */
class Ring {
  readonly available: Uint8Array[] = [];
  readonly used: number[] = [];
  flushes = 0;
  flags = 0;
  lieLength: number | undefined;

  is_configured = () => true;
  has_request = () => this.available.length > 0;
  count_requests = () => this.available.length;
  flush_replies = () => {
    this.flushes++;
  };
  used_set_flags = (flags: number) => {
    this.flags = flags;
  };
  push_reply = (chain: { written: number }) => {
    this.used.push(chain.written);
  };
  pop_request = (): BufferChain & { written: number } => {
    const buffer = this.available.shift() ?? new Uint8Array(0);
    const length = this.lieLength ?? buffer.length;
    const chain = {
      head_idx: 0,
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
  const broken: string[] = [];
  let work = 0;
  const card = new VirtioNet(cpu, {
    mtuBytes: 1500,
    onWork: () => work++,
    onBroken: (reason) => broken.push(reason),
  });
  return {
    card,
    receive,
    transmit,
    broken,
    work: () => work,
    kick: (queue: 0 | 1) => built?.notification.handlers[queue]?.(queue),
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

describe("frames of the guest's", () => {
  test("come without their headers, and their buffers go back", () => {
    const { card, transmit } = plugged();
    for (const byte of [1, 2]) {
      transmit.available.push(Uint8Array.from([...new Array(HEADER_BYTES).fill(0), byte, 3]));
    }
    expect(card.take().map((frame) => [...frame])).toEqual([
      [1, 3],
      [2, 3],
    ]);
    expect(transmit.used).toEqual([0, 0]);
    expect(transmit.flushes).toBe(1);
  });

  test.each([
    ["frames", 1],
    ["buffers", 0],
  ] as const)(
    "are told once, and the guest need not tell of more %s until they are taken",
    (_, queue) => {
      const { card, receive, transmit, work, kick } = plugged();
      const ring = [receive, transmit][queue];
      transmit.available.push(new Uint8Array(HEADER_BYTES + 60));
      kick(queue);
      expect(work()).toBe(1);
      expect(ring?.flags).toBe(1);
      // Nothing is taken in the middle of the guest's time.
      expect(transmit.used).toEqual([]);
      card.take();
      expect(ring?.flags).toBe(0);
      expect(transmit.used).toEqual([0]);
    },
  );

  test("are taken by no more than a ring at once, however many the guest says there are", () => {
    const { card, transmit, work } = plugged();
    transmit.has_request = () => true;
    transmit.lieLength = HEADER_BYTES + 60;
    card.take();
    expect(transmit.used).toHaveLength(512);
    expect(work()).toBe(1);
  });

  test.each([0, -1, HEADER_BYTES, 65_562, 0x7fffffff])(
    "of a length of %i with the header take no memory, and are dropped",
    (length) => {
      const { card, transmit, broken } = plugged();
      transmit.available.push(new Uint8Array(100));
      transmit.lieLength = length;
      expect(card.take()).toEqual([]);
      expect(broken).toEqual([]);
      expect(transmit.used).toEqual([0]);
    },
  );

  test("at an address that is not there end the machine, not the process", () => {
    const { card, transmit, broken } = plugged();
    transmit.available.push(new Uint8Array(100));
    transmit.pop_request = () => {
      throw new RangeError("offset is out of bounds");
    };
    card.take();
    expect(broken).toEqual([expect.stringContaining("offset is out of bounds")]);
  });

  test("of a card that no driver has set up are none", () => {
    const { card, transmit, work, kick } = plugged();
    transmit.is_configured = () => false;
    kick(1);
    expect(card.take()).toEqual([]);
    expect([work(), transmit.flags]).toEqual([0, 0]);
  });
});
