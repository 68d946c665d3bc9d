import { describe, expect, test } from "vitest";
import { FLAG } from "./support/frames.ts";
import { HandTcp, World } from "./support/world.ts";

const RESET = FLAG.rst | FLAG.ack;

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
