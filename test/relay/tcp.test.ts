import { describe, expect, test } from "vitest";
import { query } from "./support/dns.ts";
import { FLAG, hex, icmpFrame, readIcmp, readTcp, tcpFrame, udpFrame } from "./support/frames.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

const RESET = FLAG.rst | FLAG.ack;

describe("opening", () => {
  test("the guest's SYN is answered only when the host is connected, with MSS and window scale", () => {
    const world = new World({ mtu: 9000 });
    const tcp = new HandTcp(world, SERVER, 443);
    expect(tcp.syn()).toEqual([]);
    expect(world.stream.target).toEqual({ address: SERVER, port: 443 });
    expect(tcp.syn()).toEqual([]);
    expect(world.host.streams).toHaveLength(1);
    world.stream.events.onConnect(SERVER);
    const [answer, ...more] = world.takeTcp();
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ flags: FLAG.syn | FLAG.ack, mss: 8960, windowScale: 5 });
    expect(answer).toMatchObject({ source: SERVER, sourcePort: 443, acknowledgment: 1001 });
  });

  test("a guest that does not scale is not offered a scale", () => {
    const answer = new HandTcp(new World()).open([2, 4, 0x05, 0xb4]);
    expect(answer.windowScale).toBeUndefined();
    expect(answer.window).toBe(65_535);
  });

  test("a lost SYN-ACK is sent again, later and later, and given up", () => {
    const world = new World();
    new HandTcp(world).syn();
    world.stream.events.onConnect(SERVER);
    world.takeTcp();
    for (const seconds of [1, 2, 4, 8, 16, 30]) {
      world.host.advance(seconds * 1000 - 1);
      expect(world.takeTcp()).toEqual([]);
      world.host.advance(1);
      expect(world.takeTcp().map(({ flags }) => flags)).toEqual([FLAG.syn | FLAG.ack]);
    }
    world.host.advance(30_000);
    expect(world.takeTcp().map(({ flags }) => flags)).toEqual([RESET]);
    expect(world.stream.destroyed).toBe("reset");
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, bufferedBytes: 0 });
  });

  test("a refused port is RST at once", () => {
    const world = new World();
    new HandTcp(world).syn();
    world.stream.events.onError("ECONNREFUSED");
    const [answer] = world.takeTcp();
    expect(answer).toMatchObject({ flags: RESET, acknowledgment: 1001, sequence: 0 });
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, tcpConnecting: 0 });
  });

  test.each([
    ["ENETUNREACH", 0],
    ["EHOSTUNREACH", 1],
    ["EACCES", 13],
  ])("%s is ICMP 3/%i with the SYN's header", (code, icmp) => {
    const world = new World();
    new HandTcp(world, SERVER, 81, 40_123).syn();
    world.stream.events.onError(code);
    const report = readIcmp(world.takeFrames()[0] ?? hex(""));
    expect(report).toMatchObject({ type: 3, code: icmp });
    expect(report.rest.subarray(24, 28)).toEqual(hex("9cbb 0051"));
  });

  test("a time-out of the host's is silence, and the next SYN tries again", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.syn();
    world.stream.events.onError("ETIMEDOUT");
    expect(world.takeFrames()).toEqual([]);
    tcp.syn();
    expect(world.host.streams).toHaveLength(2);
  });

  test("a guest that gives up while the host is connecting ends the host's attempt", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.syn();
    tcp.send({ flags: FLAG.rst, sequence: tcp.sequence + 1 });
    expect(world.stream.destroyed).toBe("reset");
    expect(world.relay.stats().tcpConnecting).toBe(0);
  });

  test("a peer other than the one asked for is not given to the guest", () => {
    const world = new World();
    new HandTcp(world).syn();
    world.stream.events.onConnect("127.0.0.1");
    expect(readIcmp(world.takeFrames()[0] ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    expect(world.stream.destroyed).toBe("reset");
    expect(world.refusals).toEqual([`tcp ${SERVER}:80: connected elsewhere`]);
  });
});

describe("unknown flows", () => {
  test("a segment of a connection that is not there gets the RST that ends it", () => {
    const tcp = new HandTcp(new World());
    tcp.acknowledgment = 777;
    expect(tcp.send({})).toMatchObject([{ flags: FLAG.rst, sequence: 777 }]);
    expect(tcp.send({ flags: FLAG.fin, payload: Buffer.from("abc") })).toMatchObject([
      { flags: RESET, sequence: 0, acknowledgment: 1004 },
    ]);
    expect(tcp.send({ flags: FLAG.rst })).toEqual([]);
  });

  test("after closeAll the guest has a RST that it believes, the host too, and later segments get one", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("hello"));
    world.takeFrames();
    world.relay.closeAll();
    expect(world.takeTcp()).toMatchObject([
      { flags: RESET, sequence: tcp.acknowledgment + 5, acknowledgment: tcp.sequence },
    ]);
    expect(world.stream.destroyed).toBe("reset");
    expect(tcp.send({ acknowledgment: 5 })).toMatchObject([{ flags: FLAG.rst, sequence: 5 }]);
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, bufferedBytes: 0 });
    expect(world.host.timerCount).toBe(0);
  });
});

describe("another guest", () => {
  test("a saved guest's connections are reset when it is restored, with numbers that it believes", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("hello"));
    tcp.data("abc");
    const flows = JSON.parse(JSON.stringify(world.relay.saveFlows()));
    world.relay.closeAll();
    expect(world.relay.saveFlows()).toEqual([]);
    world.takeFrames();
    world.relay.resetFlows(flows);
    expect(world.takeTcp()).toMatchObject([
      {
        ...{ source: SERVER, sourcePort: 80, destinationPort: 40_000, flags: RESET },
        ...{ sequence: tcp.acknowledgment + 5, acknowledgment: tcp.sequence },
      },
    ]);
  });

  test("answers to an earlier guest do not reach the next", async () => {
    const world = new World();
    world.host.answerA("www.example", [SERVER]);
    world.host.ping = async () => true;
    world.send(udpFrame({ address: "10.0.2.3", port: 53 }, 40_053, query("www.example")));
    world.send(icmpFrame(SERVER, 8, 0, hex("0001 0001")));
    world.send(udpFrame({ address: SERVER, port: 123 }, 40_001, Buffer.from("time?")));
    world.descriptors = 0;
    world.send(icmpFrame("10.0.2.2", 8, 0, hex("0001 0001")));
    world.relay.closeAll();
    await world.host.settleAll();
    world.descriptors = 100;
    world.relay.flush();
    expect(world.takeFrames()).toEqual([]);
    expect(world.host.sockets[0]?.isClosed).toBe(true);
    expect(world.relay.stats().pendingQueries).toBe(0);
  });
});

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

describe("backpressure", () => {
  test("a host that does not read closes the guest's window, and opens it when it does", () => {
    const limits = { connectionBufferBytes: 65_536 };
    const world = new World({ limits });
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.roomBytes = 0;
    let window = 65_535;
    for (let sent = 0; sent < 100 && window > 0; sent++) {
      const answers = tcp.data(Buffer.alloc(Math.min(1460, window)));
      world.host.advance(5);
      for (const answer of [...answers, ...world.takeTcp()]) window = answer.window * 2;
      expect(world.relay.stats().bufferedBytes).toBeLessThanOrEqual(70_000);
    }
    expect(window).toBe(0);
    const probe = tcp.send({ payload: Buffer.from("x") });
    expect(probe).toMatchObject([{ window: 0, acknowledgment: tcp.sequence }]);
    world.stream.take(Number.POSITIVE_INFINITY);
    const [opened] = world.takeTcp();
    expect((opened?.window ?? 0) * 2).toBeGreaterThan(60_000);
  });

  test("a guest that does not read pauses the host, holds a bounded amount, and gets all in the end", () => {
    const world = new World({ limits: { connectionBufferBytes: 65_536 } });
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.send({ window: 0 });
    let sent = 0;
    while (!world.stream.isPaused) {
      world.stream.events.onData(Buffer.alloc(16_384, "y"));
      sent += 16_384;
    }
    expect(sent).toBe(65_536);
    expect(world.takeTcp()).toEqual([]);
    world.host.advance(1000);
    expect(world.takeTcp().map(({ payload }) => payload.length)).toEqual([1]);
    let received = 0;
    for (let round = 0; round < 100 && received < sent; round++) {
      const acknowledgment = tcp.acknowledgment + received;
      for (const { payload } of tcp.send({ acknowledgment, window: 8000 }))
        received += payload.length;
      world.host.advance(1);
    }
    expect(received).toBe(sent);
    expect(world.stream.isPaused).toBe(false);
  });

  test("the host goes on when a quarter of what may wait is free again", () => {
    const world = new World({ limits: { connectionBufferBytes: 65_536 } });
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.send({ window: 65_535 });
    world.stream.events.onData(Buffer.alloc(65_536));
    expect(world.stream.isPaused).toBe(true);
    world.takeTcp();
    tcp.send({ acknowledgment: tcp.acknowledgment + 16_060, window: 65_535 });
    expect(world.stream.isPaused).toBe(true);
    tcp.send({ acknowledgment: tcp.acknowledgment + 16_384, window: 65_535 });
    expect(world.stream.isPaused).toBe(false);
  });

  test("200 connections that only ask are promised little, and the last may read as much as it is offered", () => {
    const world = new World();
    for (let port = 40_000; port < 40_200; port++) {
      const tcp = new HandTcp(world, SERVER, 80, port);
      expect(tcp.open().window).toBe(65_535);
      tcp.data("GET / HTTP/1.1\r\n\r\n");
    }
    world.host.advance(5);
    expect(world.relay.stats().bufferedBytes).toBeLessThan(200 * 70_000);
    world.stream.events.onData(Buffer.alloc(262_144));
    expect(world.stream.isPaused).toBe(false);
  });

  test("a connection that sends is offered twice what has come", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    let offered = 0;
    for (let sent = 1; sent <= 100; sent++) {
      const answers = tcp.data(Buffer.alloc(1460));
      world.host.advance(5);
      for (const { window } of [...answers, ...world.takeTcp()]) offered = window * 32;
      expect(offered).toBeLessThanOrEqual(Math.max(65_536, 2 * 1460 * sent));
    }
    expect(offered).toBeGreaterThan(250_000);
  });

  test("nothing is sent beyond the card's free descriptors, and all when it has room again", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.descriptors = 5;
    world.stream.events.onData(Buffer.alloc(14_600));
    expect(world.takeFrames()).toHaveLength(3);
    world.host.advance(3000);
    expect(world.takeFrames()).toHaveLength(0);
    world.descriptors = 100;
    world.relay.flush();
    expect(world.takeFrames()).toHaveLength(7);
  });

  test("a guest that does not keep up gets answers and no data, neither new nor again, until it does", () => {
    let keepsUp = true;
    const world = new World({ takesData: () => keepsUp });
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("first"));
    expect(world.takeTcp()).toHaveLength(1);
    keepsUp = false;
    world.stream.events.onData(Buffer.from("second"));
    world.host.advance(3000);
    expect(world.takeFrames()).toEqual([]);
    expect(tcp.data("from the guest")).toEqual([]);
    world.host.advance(5);
    expect(world.takeTcp()).toMatchObject([{ acknowledgment: tcp.sequence }]);
    expect(world.send(icmpFrame("10.0.2.2", 8, 0, hex("0001 0001 61")))).toHaveLength(1);
    keepsUp = true;
    world.relay.flush();
    expect(world.takeTcp().map(({ payload }) => payload.toString())).toEqual(["second"]);
  });

  test("answers wait for a full card, and the oldest of too many are dropped", () => {
    const world = new World();
    world.descriptors = 0;
    for (let index = 0; index < 300; index++)
      expect(world.send(icmpFrame("10.0.2.2", 8, 0, hex("0001 0001", [index & 255])))).toEqual([]);
    world.descriptors = 1000;
    world.relay.flush();
    const replies = world.takeFrames().map(readIcmp);
    expect(replies).toHaveLength(256);
    expect(replies[0]?.rest[4]).toBe(300 - 256);
  });
});

describe("retransmission", () => {
  test("unanswered data is sent again from the first byte, later and later", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("hello"));
    const [first] = world.takeTcp();
    world.host.advance(1000);
    expect(world.takeTcp()).toMatchObject([{ sequence: first?.sequence, payload: first?.payload }]);
    world.host.advance(1999);
    expect(world.takeTcp()).toEqual([]);
    world.host.advance(1);
    expect(world.takeTcp()).toHaveLength(1);
  });

  test("three duplicate acknowledgments bring the lost segment at once", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.alloc(14_600));
    const [first] = world.takeTcp();
    expect(tcp.send({})).toEqual([]);
    expect(tcp.send({})).toEqual([]);
    const [again] = tcp.send({});
    expect(again?.sequence).toBe(first?.sequence);
  });

  test("while the guest stands still nothing is sent again", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("hello"));
    world.takeTcp();
    world.relay.pause();
    world.host.advance(3_600_000);
    expect(world.takeTcp()).toEqual([]);
    world.relay.resume();
    world.host.advance(1000);
    expect(world.takeTcp()).toHaveLength(1);
  });

  test("a guest that never answers is given up with RST on both sides", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.stream.events.onData(Buffer.from("hello"));
    world.host.advance(600_000);
    expect(world.takeTcp().at(-1)?.flags).toBe(RESET);
    expect(world.stream.destroyed).toBe("reset");
    expect(world.relay.stats().bufferedBytes).toBe(0);
  });

  test("an idle connection is kept while the guest answers probes, and dropped when it does not", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    world.host.advance(600_000);
    expect(world.takeTcp()).toMatchObject([{ sequence: tcp.acknowledgment - 1, flags: FLAG.ack }]);
    tcp.send({});
    world.host.advance(599_000);
    expect(world.takeTcp()).toHaveLength(0);
    world.host.advance(1000 + 8 * 75_000);
    expect(world.takeTcp().at(-1)?.flags).toBe(RESET);
  });

  test("after ten idle minutes data goes both ways as before", () => {
    const world = new World();
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.data("before ");
    world.host.advance(5);
    world.takeTcp();
    world.host.advance(600_001);
    // The probe, which the guest answers.
    expect(world.takeTcp()).toMatchObject([{ sequence: tcp.acknowledgment - 1 }]);
    tcp.send({});
    tcp.data("after");
    expect(world.stream.text).toBe("before after");
    world.stream.events.onData(Buffer.from("answer"));
    const [answer] = world.takeTcp();
    expect(answer).toMatchObject({ sequence: tcp.acknowledgment });
    expect(answer?.payload.toString()).toBe("answer");
    expect(world.stream.destroyed).toBe("no");
  });
});

describe("limits", () => {
  test("10,000 half-open connections stay within the limits, and cost nothing afterwards", () => {
    const world = new World({ limits: { newFlowsPerSecond: 100_000 } });
    for (let index = 0; index < 10_000; index++)
      new HandTcp(world, SERVER, 80, 10_000 + index).syn();
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 256, tcpConnecting: 256 });
    expect(world.dropped("refused: too many connections being made")).toBe(9744);
    world.host.advance(130_000);
    expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, tcpConnecting: 0 });
    expect(world.host.timerCount).toBe(0);
  });

  test("new connections a second are bounded", () => {
    const world = new World({ limits: { newFlowsPerSecond: 10 } });
    for (let index = 0; index < 100; index++) new HandTcp(world, SERVER, 80, 10_000 + index).syn();
    expect(world.host.streams).toHaveLength(30);
    world.host.advance(1000);
    for (let index = 0; index < 100; index++) new HandTcp(world, SERVER, 80, 20_000 + index).syn();
    expect(world.host.streams).toHaveLength(40);
  });

  test("bandwidth down is bounded", () => {
    const world = new World({ limits: { downBytesPerSecond: 100_000 } });
    const tcp = new HandTcp(world);
    tcp.open([2, 4, 0x05, 0xb4, 3, 3, 7, 0]);
    world.stream.events.onData(Buffer.alloc(500_000));
    let received = 0;
    for (let tenth = 0; tenth < 20; tenth++) {
      for (const { payload } of world.takeTcp()) received += payload.length;
      for (const { payload } of tcp.send({ acknowledgment: tcp.acknowledgment + received }))
        received += payload.length;
      world.host.advance(100);
    }
    expect(received).toBeGreaterThan(200_000);
    expect(received).toBeLessThan(290_000);
  });

  test("bandwidth up is bounded by the guest's window", () => {
    const world = new World({
      limits: { upBytesPerSecond: 100_000, connectionBufferBytes: 65_536 },
    });
    const tcp = new HandTcp(world);
    tcp.open();
    let window = 65_535;
    for (let ms = 0; ms < 2000; ms += 10) {
      if (window >= 1460) {
        tcp.data(Buffer.alloc(1460));
        window -= 1460;
      }
      world.host.advance(10);
      for (const answer of world.takeTcp())
        window = answer.acknowledgment + answer.window * 2 - tcp.sequence;
    }
    const moved = Buffer.concat(world.stream.received).length;
    expect(moved).toBeGreaterThan(200_000);
    expect(moved).toBeLessThan(280_000);
  });

  test("when the total of bytes is used up, connections end and no new ones begin, until it is counted anew", () => {
    const world = new World({ limits: { totalBytes: 1000 } });
    const tcp = new HandTcp(world);
    tcp.open();
    tcp.data(Buffer.alloc(1001));
    expect(world.stream.destroyed).toBe("reset");
    const frames = world.send(tcpFrame({ ...tcp.to, flags: FLAG.syn, sequence: 9_000_000 }));
    expect(readIcmp(frames[0] ?? hex(""))).toMatchObject({ type: 3, code: 13 });
    world.relay.resetQuota();
    tcp.sequence = 9_000_000;
    tcp.open();
  });
});

describe("to the guest", () => {
  test("a connection from outside reaches a listening port", async () => {
    const world = new World();
    const streams: import("./support/sim-host.ts").SimStream[] = [];
    const { SimStream } = await import("./support/sim-host.ts");
    world.relay.connectToGuest(8080, (events) => {
      const stream = new SimStream({ address: "", port: 0 }, events);
      streams.push(stream);
      return stream;
    });
    const [syn] = world.takeTcp();
    expect(syn).toMatchObject({
      flags: FLAG.syn,
      source: "10.0.2.2",
      destinationPort: 8080,
      mss: 1460,
    });
    const [stream] = streams;
    expect(stream?.isPaused).toBe(true);
    const to = { destination: "10.0.2.2", sourcePort: 8080, destinationPort: syn?.sourcePort ?? 0 };
    const acknowledgment = (syn?.sequence ?? 0) + 1;
    const answer = { ...to, flags: FLAG.syn | FLAG.ack, sequence: 5, acknowledgment };
    const [ack] = world.send(tcpFrame({ ...answer, options: [2, 4, 0x05, 0xb4] })).map(readTcp);
    expect(ack).toMatchObject({ flags: FLAG.ack, sequence: acknowledgment, acknowledgment: 6 });
    stream?.events.onData(Buffer.from("GET /"));
    expect(String(world.takeTcp()[0]?.payload)).toBe("GET /");
    const payload = Buffer.from("200");
    world.send(
      tcpFrame({
        ...to,
        flags: FLAG.ack,
        sequence: 6,
        acknowledgment: acknowledgment + 5,
        payload,
      }),
    );
    expect(stream?.text).toBe("200");
  });

  test("a port where nothing listens resets the host's side", async () => {
    const world = new World();
    const { SimStream } = await import("./support/sim-host.ts");
    let stream: import("./support/sim-host.ts").SimStream | undefined;
    world.relay.connectToGuest(8080, (events) => {
      stream = new SimStream({ address: "", port: 0 }, events);
      return stream;
    });
    const [syn] = world.takeTcp();
    const to = { destination: "10.0.2.2", sourcePort: 8080, destinationPort: syn?.sourcePort ?? 0 };
    world.send(
      tcpFrame({ ...to, flags: RESET, sequence: 0, acknowledgment: (syn?.sequence ?? 0) + 1 }),
    );
    expect(stream?.destroyed).toBe("reset");
    expect(world.relay.stats().tcpConnections).toBe(0);
  });
});
