import { describe, expect, test } from "vitest";
import { FLAG, hex, readIcmp, tcpFrame } from "./support/frames.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

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
