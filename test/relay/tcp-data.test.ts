import { describe, expect, test } from "vitest";
import { FLAG, hex, readTcp, tcpFrame } from "./support/frames.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

const RESET = FLAG.rst | FLAG.ack;

describe("data", () => {
  test("what the guest sends comes to the host in order, once, and is acknowledged in batches", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    const frames = ["one ", "two ", "three"].map((text) => {
      const frame = tcpFrame({
        ...tcp.to,
        flags: FLAG.ack,
        sequence: tcp.sequence,
        acknowledgment: tcp.acknowledgment,
        payload: Buffer.from(text),
      });
      tcp.sequence += text.length;
      return frame;
    });
    const [one = hex(""), two = hex(""), three = hex("")] = frames;
    expect(world.send(one, two)).toEqual([]);
    world.host.advance(5);
    expect(world.takeTcp()).toMatchObject([{ acknowledgment: 1009, flags: FLAG.ack }]);
    expect(world.send(one).map(readTcp)).toMatchObject([{ acknowledgment: 1009 }]);
    world.send(three);
    expect(world.stream.text).toBe("one two three");
  });

  test("a segment before its turn is answered at once with what is expected", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    const answers = tcp.send({ sequence: 1005, payload: Buffer.from("later") });
    expect(answers).toMatchObject([{ acknowledgment: 1001 }]);
    expect(world.stream.text).toBe("");
    tcp.data("now.later");
    expect(world.stream.text).toBe("now.later");
  });

  test("a segment that repeats old bytes brings its new ones", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.data("abc");
    tcp.send({ sequence: 1001, payload: Buffer.from("abcdef") });
    expect(world.stream.text).toBe("abcdef");
  });

  test("a wrong checksum is dropped and counted", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    const { sequence, acknowledgment } = tcp;
    const payload = Buffer.from("hello");
    const frame = tcpFrame({ ...tcp.to, flags: FLAG.ack, sequence, acknowledgment, payload });
    frame[frame.length - 1] = 0;
    expect(world.send(frame)).toEqual([]);
    expect(world.dropped("dropped: TCP: wrong checksum")).toBe(1);
  });

  test("what the host sends is cut at the guest's MSS, within its window", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open([2, 4, 0x03, 0xe8]);
    tcp.send({ window: 2500 });
    const bytes = Buffer.from(Uint8Array.from({ length: 4000 }, (_, index) => index));
    world.stream.events.onData(bytes);
    const first = world.takeTcp();
    expect(first.map(({ payload }) => payload.length)).toEqual([1000, 1000]);
    const rest = tcp.send({ acknowledgment: tcp.acknowledgment + 2000, window: 2500 });
    expect(rest.map(({ payload }) => payload.length)).toEqual([1000, 1000]);
    expect(Buffer.concat([...first, ...rest].map(({ payload }) => payload))).toEqual(bytes);
  });

  test("with an MTU of 65535 a read of the host's goes out in one frame", () => {
    const world = new World({ mtu: 65_535 });
    const tcp = new HandTcp(world);
    tcp.open([2, 4, 0xff, 0xd7, 3, 3, 7, 0]);
    world.stream.events.onData(Buffer.alloc(65_495, "x"));
    expect(world.takeTcp().map(({ payload }) => payload.length)).toEqual([65_495]);
  });

  test("a card that cuts segments itself gets many in one frame, and is told their size", () => {
    const sizes: number[] = [];
    const frames: Buffer[] = [];
    const world = new World({
      offload: { segmentsToGuest: true, checksumsToGuest: true },
      send: (frame, info) => {
        frames.push(Buffer.from(frame));
        sizes.push(info.segmentBytes);
      },
    });
    const tcp = new HandTcp(world);
    tcp.syn([2, 4, 0x05, 0xb4, 3, 3, 7, 0]);
    world.stream.events.onConnect(SERVER);
    world.host.settle();
    const first = (frames[0]?.readUInt32BE(38) ?? 0) + 1;
    const frame = tcpFrame({ ...tcp.to, flags: FLAG.ack, sequence: 1001, acknowledgment: first });
    world.relay.receive(frame);
    world.stream.events.onData(Buffer.alloc(100_000));
    world.host.settle();
    expect(sizes).toEqual([0, 1460, 1460]);
    expect(frames[1]?.length).toBe(54 + 1460 * 44);
  });
});

describe("closing", () => {
  test("the guest ends first: the host's other half lives on, and the guest's TIME_WAIT is its own", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.data("bye", FLAG.ack | FLAG.fin);
    expect(world.stream).toMatchObject({ text: "bye", isEnded: true, destroyed: "no" });
    world.stream.events.onData(Buffer.from("still here"));
    world.stream.events.onEnd();
    const [last] = world.takeTcp();
    expect(last).toMatchObject({ flags: FLAG.fin | FLAG.ack | FLAG.psh });
    expect(String(last?.payload)).toBe("still here");
    tcp.send({ acknowledgment: tcp.acknowledgment + 11 });
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, tcpTimeWait: 0 });
    expect(world.host.timerCount).toBe(0);
  });

  test("the host ends first: the guest may go on sending, and its FIN, sent again, is answered in TIME_WAIT", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onEnd();
    expect(world.takeTcp()).toMatchObject([{ flags: FLAG.fin | FLAG.ack }]);
    tcp.acknowledgment++;
    tcp.data("more");
    expect(world.stream.text).toBe("more");
    const before = tcp.sequence;
    expect(tcp.data("", FLAG.ack | FLAG.fin)).toMatchObject([{ acknowledgment: before + 1 }]);
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, tcpTimeWait: 1 });
    const again = tcp.send({ flags: FLAG.ack | FLAG.fin, sequence: before });
    expect(again).toMatchObject([{ acknowledgment: before + 1 }]);
    world.host.advance(2000);
    expect(world.relay.stats().tcpTimeWait).toBe(0);
  });

  test("a port in TIME_WAIT is taken up by a new connection at once", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onEnd();
    world.takeFrames();
    tcp.acknowledgment++;
    tcp.data("", FLAG.ack | FLAG.fin);
    expect(world.relay.stats().tcpTimeWait).toBe(1);
    tcp.sequence += 5000;
    tcp.open();
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 1, tcpTimeWait: 0 });
  });

  test("a broken host is a RST for the guest, and a RST of the guest's breaks the host", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onError("ECONNRESET");
    expect(world.takeTcp()).toMatchObject([{ flags: RESET, sequence: tcp.acknowledgment }]);
    const other = new HandTcp(world, SERVER, 80, 40_001);
    other.open();
    other.send({ flags: FLAG.rst });
    expect(world.stream.destroyed).toBe("reset");
    expect(world.relay.stats().tcpConnections).toBe(0);
  });

  test("a RST beside the mark and a SYN within the window are challenged (RFC 5961)", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    expect(tcp.send({ flags: FLAG.rst, sequence: tcp.sequence + 9 })).toMatchObject([
      { flags: FLAG.ack, acknowledgment: tcp.sequence },
    ]);
    expect(tcp.send({ flags: FLAG.syn, sequence: tcp.sequence + 9 })).toMatchObject([
      { flags: FLAG.ack, acknowledgment: tcp.sequence },
    ]);
    expect(tcp.send({ flags: FLAG.rst, sequence: tcp.sequence - 9 })).toEqual([]);
    expect(world.stream.destroyed).toBe("no");
  });
});
