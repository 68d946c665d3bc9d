import { describe, expect, test } from "vitest";
import { checksumOf, sumOf } from "../../relay/checksum.ts";
import { Policy } from "../../relay/index.ts";
import { integersFrom } from "../support/random.ts";
import { dhcpMessage, dhcpOptions } from "./support/dhcp.ts";
import {
  DNS,
  ethernet,
  GATEWAY,
  GATEWAY_MAC,
  GUEST,
  GUEST_MAC,
  hex,
  icmpFrame,
  ip,
  ipv4,
  readIcmp,
  readIp,
  readUdp,
  slowChecksum,
  u16,
  udpFrame,
} from "./support/frames.ts";
import { SERVER, World } from "./support/world.ts";

describe("checksum", () => {
  test("equals RFC 1071's at every alignment and length", () => {
    const random = integersFrom(1);
    const buffer = Uint8Array.from({ length: 300 }, () => random(256));
    for (let start = 0; start < 5; start++)
      for (let end = start; end < buffer.length; end++)
        expect(checksumOf(sumOf(buffer, start, end))).toBe(
          slowChecksum(buffer.subarray(start, end)),
        );
  });

  test("does not overflow on the largest packet", () => {
    for (const start of [0, 1]) {
      const bytes = new Uint8Array(65_536).fill(0xff);
      expect(checksumOf(sumOf(bytes, start, 65_536))).toBe(slowChecksum(bytes.subarray(start)));
    }
  });
});

describe("ARP", () => {
  const ask = (target: string, operation = 1) =>
    ethernet(
      0x0806,
      hex("0001 0800 06 04", u16(operation), GUEST_MAC, ip(GUEST), "000000000000", ip(target)),
      "ffffffffffff",
    );

  test.each([GATEWAY, DNS])("%s is at the gateway's address", (target) => {
    const [reply] = new World().send(ask(target));
    const expected = hex("0001 0800 06 04 0002", GATEWAY_MAC, ip(target), GUEST_MAC, ip(GUEST));
    expect(reply).toEqual(ethernet(0x0806, expected, GUEST_MAC, GATEWAY_MAC));
  });

  test("no other address is answered for, nor a reply, nor a short packet", () => {
    const world = new World();
    expect(world.send(ask(GUEST), ask("10.0.2.77"), ask(GATEWAY, 2))).toEqual([]);
    expect(world.send(ask(GATEWAY).subarray(0, 40))).toEqual([]);
    expect(world.dropped("dropped: ARP: too short")).toBe(1);
  });
});

describe("DHCP", () => {
  const ask = (world: World, payload: Uint8Array, source = "0.0.0.0") =>
    world.send(udpFrame({ address: "255.255.255.255", port: 67 }, 68, payload, source));

  test("a discovery is offered the address, with router, DNS, mask, MTU and an endless lease", () => {
    const [frame] = ask(new World({ mtu: 9000 }), dhcpMessage(1));
    const reply = readUdp(frame ?? hex(""));
    expect(reply).toMatchObject({
      source: GATEWAY,
      destination: GUEST,
      sourcePort: 67,
      destinationPort: 68,
    });
    expect(frame?.subarray(0, 6)).toEqual(hex(GUEST_MAC));
    expect(reply.payload.subarray(0, 8)).toEqual(hex("02010600 cafebabe"));
    expect(reply.payload.subarray(16, 20)).toEqual(hex(ip(GUEST)));
    expect(Object.fromEntries(dhcpOptions(reply.payload))).toEqual({
      53: "02",
      54: "0a000202",
      51: "ffffffff",
      1: "ffffff00",
      28: "0a0002ff",
      3: "0a000202",
      6: "0a000203",
      26: "2328",
    });
  });

  test("a request for the address is acknowledged, one for another refused", () => {
    const world = new World();
    const [ack] = ask(world, dhcpMessage(3, hex("3204", ip(GUEST))));
    expect(dhcpOptions(readUdp(ack ?? hex("")).payload).get(53)).toBe("05");
    const [nak] = ask(world, dhcpMessage(3, hex("3204", ip("192.168.1.7"))));
    const refused = readUdp(nak ?? hex(""));
    expect(dhcpOptions(refused.payload).get(53)).toBe("06");
    expect(refused.destination).toBe("255.255.255.255");
    expect(refused.payload.subarray(16, 20)).toEqual(hex("00000000"));
  });

  test("a renewal is answered where the guest lives; a client that cannot hear is answered by broadcast", () => {
    const world = new World();
    const [renewed] = ask(world, dhcpMessage(3, hex(""), 0, GUEST), GUEST);
    expect(readUdp(renewed ?? hex("")).destination).toBe(GUEST);
    const [offer] = ask(world, dhcpMessage(1, hex(""), 0x8000));
    expect(readUdp(offer ?? hex("")).destination).toBe("255.255.255.255");
    expect(offer?.subarray(0, 6)).toEqual(hex("ffffffffffff"));
  });

  test("requests for another server, releases, and unsound messages get no answer", () => {
    const world = new World();
    expect(ask(world, dhcpMessage(3, hex("3604", ip("10.0.2.99"))))).toEqual([]);
    expect(ask(world, dhcpMessage(7))).toEqual([]);
    expect(ask(world, dhcpMessage(1, hex("32ff 00")))).toEqual([]);
    expect(ask(world, dhcpMessage(1).subarray(0, 200))).toEqual([]);
  });
});

describe("ICMP", () => {
  test.each([GATEWAY, DNS])("%s answers an echo with the same identifier and data", (target) => {
    const [frame] = new World().send(
      icmpFrame(target, 8, 0, hex("1234 0001", Buffer.from("abcde"))),
    );
    const reply = readIcmp(frame ?? hex(""));
    expect(reply).toMatchObject({ source: target, type: 0, code: 0 });
    expect(reply.rest).toEqual(hex("1234 0001", Buffer.from("abcde")));
  });

  test("a ping to the outside is prohibited where the host cannot ping, and answered where it can", async () => {
    const world = new World();
    const request = icmpFrame(SERVER, 8, 0, hex("1234 0001 aa"));
    const [no] = world.send(request);
    expect(readIcmp(no ?? hex(""))).toMatchObject({ source: GATEWAY, type: 3, code: 13 });
    world.host.ping = async (address) => address === SERVER;
    expect(world.send(request)).toEqual([]);
    await world.host.settleAll();
    const [yes] = world.takeFrames();
    expect(readIcmp(yes ?? hex(""))).toMatchObject({ source: SERVER, type: 0 });
  });

  test("a ping to the outside that the host finds it cannot send is prohibited, with its header", async () => {
    const world = new World();
    const request = icmpFrame(SERVER, 8, 0, hex("1234 0001 aa"));
    world.host.ping = () => Promise.reject(new Error("spawn ping ENOENT"));
    expect(world.send(request)).toEqual([]);
    await world.host.settleAll();
    const report = readIcmp(world.takeFrames()[0] ?? hex(""));
    expect(report).toMatchObject({ source: GATEWAY, type: 3, code: 13 });
    expect(report.rest.subarray(4)).toEqual(request.subarray(14));
  });

  test("a packet whose hops run out is reported with its header", () => {
    const packet = ipv4({ destination: SERVER, protocol: 17, ttl: 1 }, hex("9c40 829a 0008 0000"));
    const [frame] = new World().send(ethernet(0x0800, packet));
    const report = readIcmp(frame ?? hex(""));
    expect(report).toMatchObject({ source: GATEWAY, type: 11, code: 0 });
    expect(report.rest.subarray(4)).toEqual(packet);
  });

  test("a wrong checksum, other types and ICMP errors are dropped", () => {
    const world = new World();
    const broken = icmpFrame(GATEWAY, 8, 0, hex("1234 0001"));
    broken[40] = 9;
    const error = icmpFrame(SERVER, 3, 1, hex("00000000 4500"));
    expect(world.send(broken, error, icmpFrame(GATEWAY, 13, 0, hex("00000000")))).toEqual([]);
    expect(world.dropped("dropped: ICMP: wrong checksum")).toBe(1);
  });
});

describe("IPv4", () => {
  const udp = hex("9c40 0035 0008 0000");

  test.each([
    ["wrong checksum", (packet: Buffer) => packet.writeUInt8(99, 8)],
    ["shorter than it says", (packet: Buffer) => packet.writeUInt16BE(2000, 2)],
    ["bad length", (packet: Buffer) => packet.writeUInt8(0x42, 0)],
    ["another version", (packet: Buffer) => packet.writeUInt8(0x65, 0)],
  ])("%s: dropped and counted", (reason, damage) => {
    const world = new World();
    const packet = ipv4({ destination: DNS, protocol: 17 }, udp);
    damage(packet);
    expect(world.send(ethernet(0x0800, packet))).toEqual([]);
    expect(world.dropped(`dropped: IPv4: ${reason}`)).toBe(1);
  });

  test("a spoofed source, a group's address and the guest's own address lead nowhere", () => {
    const world = new World();
    const to = (destination: string, source = GUEST) =>
      ethernet(0x0800, ipv4({ destination, source, protocol: 17 }, udp));
    expect(world.send(to(SERVER, "10.0.2.16"), to(SERVER, SERVER), to("224.0.0.251"))).toEqual([]);
    expect(world.send(to("10.0.2.255"), to("255.255.255.255"), to(GUEST))).toEqual([]);
    expect(world.dropped("dropped: IPv4: from a foreign address")).toBe(2);
    expect(world.host.sockets).toEqual([]);
  });

  test("other protocols are answered with ICMP", () => {
    const packet = ipv4({ destination: SERVER, protocol: 132 }, hex("00000000"));
    const [frame] = new World().send(ethernet(0x0800, packet));
    expect(readIcmp(frame ?? hex(""))).toMatchObject({ type: 3, code: 2 });
  });

  test("frames for other stations, from groups, too short, too long, or of IPv6 are dropped", () => {
    const world = new World();
    const packet = ipv4({ destination: DNS, protocol: 17 }, udp);
    expect(world.send(ethernet(0x0800, packet, "020000000009"))).toEqual([]);
    expect(world.send(ethernet(0x0800, packet, GATEWAY_MAC, "ffffffffffff"))).toEqual([]);
    expect(world.send(hex("00"), new Uint8Array(), new Uint8Array(70_000))).toEqual([]);
    expect(world.send(ethernet(0x86dd, new Uint8Array(40)))).toEqual([]);
  });
});

describe("UDP", () => {
  test("a datagram goes to its address from a socket of its own, and the answer comes back", () => {
    const world = new World();
    expect(
      world.send(udpFrame({ address: SERVER, port: 123 }, 40_001, Buffer.from("time?"))),
    ).toEqual([]);
    const [socket] = world.host.sockets;
    expect(socket?.target).toEqual({ address: SERVER, port: 123 });
    expect(socket?.sent.map(String)).toEqual(["time?"]);
    socket?.events.onMessage(Buffer.from("noon"));
    const [frame] = world.takeFrames();
    const answer = readUdp(frame ?? hex(""));
    expect(answer).toMatchObject({ source: SERVER, sourcePort: 123, destinationPort: 40_001 });
    expect(String(answer.payload)).toBe("noon");
    world.send(udpFrame({ address: SERVER, port: 123 }, 40_001, Buffer.from("again")));
    expect(world.host.sockets).toHaveLength(1);
  });

  test("a port where nobody listens is unreachable, and a closed address prohibited", () => {
    const world = new World();
    world.send(udpFrame({ address: SERVER, port: 9 }, 40_001, Buffer.from("x")));
    world.host.sockets[0]?.events.onError("ECONNREFUSED");
    expect(readIcmp(world.takeFrames()[0] ?? hex(""))).toMatchObject({ type: 3, code: 3 });
    const [no] = world.send(
      udpFrame({ address: "192.168.1.1", port: 53 }, 40_001, Buffer.from("x")),
    );
    expect(readIcmp(no ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    expect(world.refusals).toEqual(["udp 192.168.1.1:53: private"]);
  });

  test("flows expire, soon without an answer and later with one, and are bounded", () => {
    const world = new World({ limits: { udpFlows: 2 } });
    for (const port of [1, 2, 3])
      world.send(udpFrame({ address: SERVER, port: 99 }, 40_000 + port, Buffer.from("x")));
    expect(world.host.sockets).toHaveLength(2);
    world.host.sockets[0]?.events.onMessage(Buffer.from("y"));
    world.host.advance(31_000);
    expect(world.host.sockets.map((socket) => socket.isClosed)).toEqual([false, true]);
    world.host.advance(120_000);
    expect(world.relay.stats().udpFlows).toBe(0);
    expect(world.host.timerCount).toBe(0);
  });

  test("an answer larger than the MTU comes in fragments that make it up", () => {
    const world = new World();
    world.send(udpFrame({ address: SERVER, port: 99 }, 40_000, Buffer.from("x")));
    const big = Buffer.from(Uint8Array.from({ length: 4000 }, (_, index) => index * 7));
    world.host.sockets[0]?.events.onMessage(big);
    const pieces = world.takeFrames().map(readIp);
    expect(pieces.map(({ fragment }) => fragment)).toEqual([0x2000, 0x2000 + 185, 370]);
    const whole = Buffer.concat(pieces.map(({ payload }) => payload));
    expect(whole.subarray(8)).toEqual(big);
    expect(slowChecksum(hex(ip(SERVER), ip(GUEST), [0, 17], u16(whole.length), whole))).toBe(0);
  });

  test("wrong lengths and checksums are dropped, no checksum is fine", () => {
    const world = new World({ policy: Policy.internet() });
    const broken = udpFrame({ address: SERVER, port: 99 }, 40_000, Buffer.from("abc"));
    broken[44] = 0;
    const long = udpFrame({ address: SERVER, port: 99 }, 40_000, Buffer.from("abc"));
    long.writeUInt16BE(99, 38);
    expect(world.send(broken, long)).toEqual([]);
    expect(world.host.sockets).toEqual([]);
    const none = udpFrame({ address: SERVER, port: 99 }, 40_000, Buffer.from("abc"));
    none.writeUInt16BE(0, 40);
    world.send(none);
    expect(world.host.sockets).toHaveLength(1);
  });
});
