import { describe, expect, test } from "vitest";
import { integersFrom } from "../support/random.ts";
import {
  ethernet,
  FLAG,
  GATEWAY,
  GUEST,
  hex,
  icmpFrame,
  ip,
  ipv4,
  readIcmp,
  readIp,
  slowChecksum,
  tcpFrame,
  u16,
  udpFrame,
} from "./support/frames.ts";
import { SERVER, World } from "./support/world.ts";

const MORE = 0x2000;

interface Piece {
  /** In units of 8 bytes. */
  offset: number;
  more: boolean;
  bytes: Uint8Array;
  id?: number;
  source?: string;
  destination?: string;
  protocol?: number;
}

function piece(fields: Piece): Buffer {
  const { offset, more, bytes, id = 1, protocol = 17 } = fields;
  const { source = GUEST, destination = SERVER } = fields;
  const fragment = offset | (more ? MORE : 0);
  return ethernet(0x0800, ipv4({ source, destination, protocol, id, fragment }, bytes));
}

/** A datagram's header and data, with its checksum. */
function datagram(data: Uint8Array, port = 7): Buffer {
  const length = 8 + data.length;
  const udp = hex(u16(40_000), u16(port), u16(length), "0000", data);
  udp.writeUInt16BE(slowChecksum(hex(ip(GUEST), ip(SERVER), [0, 17], u16(length), udp)), 6);
  return udp;
}

function cut(whole: Buffer, size: number, id = 1): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) {
    const bytes = whole.subarray(at, at + size);
    frames.push(piece({ offset: at / 8, more: at + size < whole.length, bytes, id }));
  }
  return frames;
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31) ^ (index >> 8)));
}

function shuffled<T>(list: readonly T[], random: (below: number) => number): T[] {
  const rest = [...list];
  return list.flatMap(() => rest.splice(random(rest.length), 1));
}

const sent = (world: World) => world.host.sockets.flatMap((socket) => socket.sent);

describe("a datagram in fragments", () => {
  const data = pattern(9000);
  const pieces = cut(datagram(data), 1480);

  test("goes out whole, in order, backwards, doubled and mixed with another", () => {
    const world = new World();
    world.send(...pieces);
    world.send(...pieces.toReversed());
    const second = cut(datagram(pattern(3000), 8), 1480, 2);
    world.send(...pieces.slice(0, 3), ...second, ...pieces);
    expect(sent(world).map((bytes) => bytes.length)).toEqual([9000, 9000, 9000, 3000]);
    expect(sent(world)[1]?.equals(data)).toBe(true);
    expect(world.relay.stats().fragmentBytes).toBe(0);
  });

  test("goes out whole in any order, at any cut", () => {
    const seed = Number(process.env.MOM_SEED ?? 20_251_122);
    const random = integersFrom(seed);
    for (let round = 0; round < 200; round++) {
      const world = new World();
      const bytes = pattern(1 + random(5000));
      const size = 8 * (8 + random(180));
      world.send(...shuffled(cut(datagram(bytes), size), random));
      expect(sent(world)[0]?.equals(bytes), `seed ${seed}, round ${round}`).toBe(true);
      expect(world.relay.stats().fragmentBytes).toBe(0);
    }
  });

  test("of the largest size goes out, and the answer to a large ping comes back in fragments", () => {
    const world = new World();
    world.send(...cut(datagram(pattern(65_507)), 1480));
    expect(sent(world)[0]?.length).toBe(65_507);
    const message = hex([8, 0, 0, 0], "1234 0001", pattern(4000));
    message.writeUInt16BE(slowChecksum(message), 2);
    const asked = cut(message, 1480).length;
    const frames = Array.from({ length: asked }, (_, index) =>
      piece({
        offset: index * 185,
        more: index < asked - 1,
        bytes: message.subarray(index * 1480, (index + 1) * 1480),
        destination: GATEWAY,
        protocol: 1,
      }),
    );
    const answer = Buffer.concat(world.send(...frames).map((frame) => readIp(frame).payload));
    expect(answer.subarray(8).equals(pattern(4000))).toBe(true);
    expect(slowChecksum(answer)).toBe(0);
  });

  test("is given up after 30 s when a piece is missing, and the guest is told", () => {
    const world = new World();
    expect(world.send(...pieces.slice(0, 3))).toEqual([]);
    world.host.advance(30_000);
    const [report] = world.takeFrames();
    expect(readIcmp(report ?? hex(""))).toMatchObject({ type: 11, code: 1 });
    expect(world.relay.stats().fragmentBytes).toBe(0);
    expect(world.host.timerCount).toBe(0);
    world.send(...pieces.slice(3));
    world.host.advance(30_000);
    expect(world.takeFrames()).toEqual([]);
    expect(sent(world)).toEqual([]);
  });

  test("of an earlier guest is not completed by the next", () => {
    const world = new World();
    world.send(...pieces.slice(0, 6));
    world.relay.closeAll();
    world.send(...pieces.slice(6));
    expect(sent(world)).toEqual([]);
  });

  const eight = pattern(8);
  test.each<[string, Piece[], string]>([
    [
      "overlap (teardrop)",
      [
        { offset: 0, more: true, bytes: pattern(48) },
        { offset: 3, more: false, bytes: eight },
      ],
      "fragments that do not fit together",
    ],
    [
      "overlap from before",
      [
        { offset: 2, more: true, bytes: eight },
        { offset: 0, more: true, bytes: pattern(24) },
      ],
      "fragments that do not fit together",
    ],
    [
      "go on behind the last",
      [
        { offset: 1, more: false, bytes: eight },
        { offset: 2, more: true, bytes: eight },
      ],
      "fragments that do not fit together",
    ],
    [
      "have a last one before others",
      [
        { offset: 2, more: true, bytes: eight },
        { offset: 1, more: false, bytes: eight },
      ],
      "fragments that do not fit together",
    ],
    [
      "have two ends",
      [
        { offset: 2, more: false, bytes: eight },
        { offset: 1, more: false, bytes: eight },
      ],
      "fragments that do not fit together",
    ],
    [
      "reach beyond the largest datagram (ping of death)",
      [{ offset: 8189, more: false, bytes: pattern(100), protocol: 1 }],
      "a fragment beyond the largest datagram",
    ],
    ["are empty", [{ offset: 0, more: true, bytes: hex("") }], "an empty fragment"],
    ["are cut oddly", [{ offset: 0, more: true, bytes: pattern(9) }], "a fragment of odd length"],
    [
      "come from elsewhere",
      [{ offset: 0, more: true, bytes: eight, source: "10.0.2.99" }],
      "from a foreign address",
    ],
    [
      "go to the guest itself",
      [{ offset: 0, more: true, bytes: eight, destination: GUEST }],
      "to the guest itself",
    ],
    [
      "go to everybody",
      [{ offset: 0, more: true, bytes: eight, destination: "255.255.255.255" }],
      "to a group",
    ],
  ])("is dropped with nothing kept when its pieces %s", (_what, fields, reason) => {
    const world = new World();
    expect(world.send(...fields.map(piece))).toEqual([]);
    expect(world.dropped(`dropped: IPv4: ${reason}`)).toBe(1);
    expect(world.relay.stats().fragmentBytes).toBe(0);
    expect(sent(world)).toEqual([]);
  });

  test("that never ends takes a bounded amount of memory, and does not keep others out", () => {
    const world = new World();
    const big = pattern(1480);
    for (let id = 0; id < 20_000; id++) {
      world.relay.receive(Uint8Array.from(piece({ offset: 0, more: true, bytes: big, id })));
      world.relay.receive(
        Uint8Array.from(piece({ offset: 400, more: true, bytes: pattern(8), id })),
      );
    }
    expect(world.relay.stats().fragmentBytes).toBeLessThanOrEqual(16 * 65_535);
    for (let offset = 0; offset < 8000; offset += 2)
      world.relay.receive(
        Uint8Array.from(piece({ offset, more: true, bytes: pattern(8), id: 65_000 })),
      );
    expect(world.relay.stats().fragmentBytes).toBeLessThanOrEqual(16 * 65_535);
    world.send(...pieces);
    expect(sent(world)[0]?.equals(data)).toBe(true);
    world.host.advance(60_000);
    expect(world.relay.stats().fragmentBytes).toBe(0);
    expect(world.host.timerCount).toBe(0);
  });

  test("hides no port and no name: TCP is looked at when it is whole", () => {
    const world = new World();
    const syn = tcpFrame({
      destination: "192.168.1.1",
      destinationPort: 80,
      sourcePort: 5,
      sequence: 1,
      flags: FLAG.syn,
    });
    const segment = syn.subarray(34);
    const common = { destination: "192.168.1.1", protocol: 6 };
    world.send(
      piece({ ...common, offset: 0, more: true, bytes: segment.subarray(0, 8) }),
      piece({ ...common, offset: 1, more: false, bytes: segment.subarray(8) }),
    );
    expect(world.refusals).toEqual(["tcp 192.168.1.1:80: private"]);
    expect(world.host.streams).toEqual([]);
  });
});

describe("addresses that lie", () => {
  const syn = (source: string, destination: string, port = 80) =>
    tcpFrame({
      source,
      destination,
      sourcePort: port,
      destinationPort: port,
      sequence: 1,
      flags: FLAG.syn,
    });

  test.each([
    ["from the guest to itself (land)", GUEST, GUEST],
    ["from the gateway to itself", GATEWAY, GATEWAY],
    ["from the server to itself", SERVER, SERVER],
    ["from another guest", "10.0.2.16", SERVER],
    ["from nowhere", "0.0.0.0", SERVER],
    ["from everybody", "255.255.255.255", SERVER],
    ["from loopback", "127.0.0.1", SERVER],
    ["from a group", "224.0.0.1", SERVER],
  ])("%s: no answer, no connection, nothing kept", (_what, source, destination) => {
    const world = new World();
    for (let port = 1; port <= 1000; port++)
      expect(world.send(syn(source, destination, port))).toEqual([]);
    world.send(udpFrame({ address: destination, port: 53 }, 53, Buffer.from("x"), source));
    expect(world.host.streams).toEqual([]);
    expect(world.host.sockets).toEqual([]);
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, udpFlows: 0 });
    expect(world.host.timerCount).toBe(0);
  });
});

describe("sizes", () => {
  test("frames and packets of every size up to twice the largest do no harm", () => {
    const world = new World();
    for (let length = 0; length < 140_000; length = Math.ceil(length * 1.1) + 1) {
      world.send(new Uint8Array(length));
      const bytes = new Uint8Array(Math.min(length, 65_000));
      world.send(ethernet(0x0800, ipv4({ destination: SERVER, protocol: 17 }, bytes)));
      world.send(ethernet(0x0800, ipv4({ destination: SERVER, protocol: 6 }, bytes)));
      world.send(icmpFrame(GATEWAY, 8, 0, bytes.subarray(0, 60_000)));
    }
    expect(world.faults).toEqual([]);
    expect(world.host.streams).toEqual([]);
  });
});
