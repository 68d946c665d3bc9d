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
