import { describe, expect, test } from "vitest";
import { hex, icmpFrame, readIcmp } from "./support/frames.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

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
