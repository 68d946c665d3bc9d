import { describe, expect, test } from "vitest";
import type { DnsRecord } from "../../relay/index.ts";
import { query, readAnswer, readMessage, TYPE } from "./support/dns.ts";
import { DNS, FLAG, hex, ip, readIcmp, u16, udpFrame } from "./support/frames.ts";
import { HandTcp, SERVER, World } from "./support/world.ts";

async function ask(world: World, message: Uint8Array) {
  const frames = world.send(udpFrame({ address: DNS, port: 53 }, 40_053, message));
  await world.host.settleAll();
  const [frame] = [...frames, ...world.takeFrames()];
  return frame === undefined ? undefined : readAnswer(frame);
}

describe("answers", () => {
  test("addresses come with their TTL, which runs down in the cache", async () => {
    const world = new World();
    world.host.answerA("www.example", [SERVER, "93.184.216.35"], 30);
    const answer = await ask(world, query("WWW.example"));
    expect(answer).toMatchObject({ id: 0x1234, isResponse: true, rcode: 0, hasEdns: false });
    expect(answer?.answers).toEqual([
      { type: 1, ttl: 30, data: hex(ip(SERVER)) },
      { type: 1, ttl: 30, data: hex(ip("93.184.216.35")) },
    ]);
    world.host.advance(10_000);
    expect((await ask(world, query("www.example")))?.answers[0]?.ttl).toBe(20);
    expect(world.host.asked).toEqual(["A www.example"]);
    world.host.advance(20_000);
    await ask(world, query("www.example"));
    expect(world.host.asked).toHaveLength(2);
  });

  test("the same question from many is asked once", async () => {
    const world = new World();
    world.host.answerA("www.example", [SERVER]);
    const messages = [1, 2, 3].map((id) => query("www.example", TYPE.A, { id }));
    world.send(...messages.map((message) => udpFrame({ address: DNS, port: 53 }, 40_053, message)));
    await world.host.settleAll();
    expect(world.takeFrames().map((frame) => readAnswer(frame).id)).toEqual([1, 2, 3]);
    expect(world.host.asked).toHaveLength(1);
  });

  test.each([
    [
      TYPE.MX,
      "MX",
      { type: "MX", preference: 10, exchange: "m.example" },
      "000a 016d 076578616d706c65 00",
    ],
    [TYPE.TXT, "TXT", { type: "TXT", strings: ["ab", "c"] }, "02 6162 01 63"],
    [TYPE.NS, "NS", { type: "NS", name: "n.example" }, "016e 076578616d706c65 00"],
    [
      TYPE.SRV,
      "SRV",
      { type: "SRV", priority: 1, weight: 2, port: 443, target: "s" },
      "0001 0002 01bb 0173 00",
    ],
    [
      TYPE.CAA,
      "CAA",
      { type: "CAA", critical: 0, tag: "issue", value: "x" },
      "00 05 6973737565 78",
    ],
    [
      TYPE.SOA,
      "SOA",
      {
        type: "SOA",
        primary: "a",
        mailbox: "b",
        serial: 1,
        refresh: 2,
        retry: 3,
        expire: 4,
        minimum: 5,
      },
      "0161 00 0162 00 00000001 00000002 00000003 00000004 00000005",
    ],
  ] as [number, string, DnsRecord["data"], string][])(
    "type %i is %s",
    async (number, type, data, bytes) => {
      const world = new World();
      world.host.zone.set(`${type} www.example`, {
        status: "found",
        records: [{ ttlSeconds: 9, data }],
      });
      const answer = await ask(world, query("www.example", number));
      expect(answer?.answers).toEqual([{ type: number, ttl: 9, data: hex(bytes) }]);
    },
  );

  test("a name of an open address is told by PTR, one of a closed address never asked", async () => {
    const world = new World();
    const data = { type: "PTR", name: "www.example" } as const;
    const zone = { status: "found", records: [{ ttlSeconds: 9, data }] } as const;
    world.host.zone.set("PTR 34.216.184.93.in-addr.arpa", { ...zone, records: [...zone.records] });
    expect((await ask(world, query("34.216.184.93.in-addr.arpa", TYPE.PTR)))?.answers).toHaveLength(
      1,
    );
    expect((await ask(world, query("1.1.168.192.in-addr.arpa", TYPE.PTR)))?.rcode).toBe(3);
    expect(world.host.asked).toHaveLength(1);
  });

  test("AAAA has no answer, a name that is not there does not exist, a failure is one", async () => {
    const world = new World();
    expect(await ask(world, query("www.example", TYPE.AAAA))).toMatchObject({
      rcode: 0,
      answers: [],
    });
    expect(await ask(world, query("nowhere.example"))).toMatchObject({ rcode: 3 });
    world.host.zone.set("A broken.example", { status: "failed", records: [] });
    expect(await ask(world, query("broken.example"))).toMatchObject({ rcode: 2 });
    world.host.zone.set("A empty.example", { status: "empty", records: [] });
    expect(await ask(world, query("empty.example"))).toMatchObject({ rcode: 0, answers: [] });
    expect(await ask(world, query("www.example", TYPE.ANY))).toMatchObject({ rcode: 4 });
    expect((await ask(world, query("localhost")))?.answers[0]?.data).toEqual(hex(ip("127.0.0.1")));
  });

  test("closed addresses are left out of an answer that has open ones, too", async () => {
    const world = new World();
    world.host.answerA("mixed.example", ["10.1.2.3", SERVER]);
    expect((await ask(world, query("mixed.example")))?.answers).toHaveLength(1);
  });

  test("what does not fit is truncated, unless the guest takes more, and whole over TCP", async () => {
    const world = new World();
    const strings = [new Array(250).fill("x").join("")];
    const records = [1, 2, 3].map(
      (): DnsRecord => ({ ttlSeconds: 1, data: { type: "TXT", strings } }),
    );
    world.host.zone.set("TXT big.example", { status: "found", records });
    expect(await ask(world, query("big.example", TYPE.TXT))).toMatchObject({
      isTruncated: true,
      answers: [],
    });
    const more = await ask(world, query("big.example", TYPE.TXT, { edns: 1232 }));
    expect(more).toMatchObject({ isTruncated: false, hasEdns: true });
    expect(more?.answers).toHaveLength(3);

    const tcp = new HandTcp(world, DNS, 53);
    const [answer] = tcp.syn();
    tcp.acknowledgment = (answer?.sequence ?? 0) + 1;
    tcp.sequence++;
    tcp.send({});
    const message = query("big.example", TYPE.TXT);
    tcp.data(hex(u16(message.length), message.subarray(0, 9)));
    const answers = tcp.data(message.subarray(9));
    const payload = Buffer.concat(answers.map((segment) => segment.payload));
    expect(payload.readUInt16BE(0)).toBe(payload.length - 2);
    expect(readMessage(payload.subarray(2)).answers).toHaveLength(3);
    expect(tcp.data("", FLAG.fin | FLAG.ack).at(-1)?.flags).toBe(FLAG.fin | FLAG.ack);
  });
});

describe("unsound questions", () => {
  test.each([
    ["an answer", query("a.example").fill(0x81, 2, 3), undefined],
    ["too short", hex("1234 0100"), undefined],
    ["another operation", query("a.example").fill(0x28, 2, 3), 4],
    ["two questions", query("a.example").fill(2, 5, 6), 1],
    ["a name that ends nowhere", hex("1234 0100 0001 0000 0000 0000 3f 61"), 1],
    ["a pointer to itself", hex("1234 0100 0001 0000 0000 0000 c00c 0001 0001"), 1],
    ["a name with a zero", query("a\0b.example"), 1],
    ["a name that is too long", query(new Array(60).fill("abcde").join(".")), 1],
    ["another class", query("a.example").fill(3, 26, 27), 5],
  ])("%s", async (_what, message, rcode) => {
    const world = new World();
    const answer = await ask(world, message);
    if (rcode !== undefined) expect(answer?.rcode).toBe(rcode);
    expect(world.host.asked.length).toBeLessThanOrEqual(rcode === undefined ? 1 : 0);
    expect(world.faults).toEqual([]);
  });

  test("questions that wait are bounded, and other ports of the name server closed", async () => {
    const world = new World({ limits: { pendingQueries: 3 } });
    let answered = 0;
    const frames = Array.from({ length: 10 }, (_, index) =>
      udpFrame({ address: DNS, port: 53 }, 40_053, query(`n${index}.example`)),
    );
    for (const frame of world.send(...frames)) if (readAnswer(frame).rcode === 2) answered++;
    expect(answered).toBe(7);
    await world.host.settleAll();
    expect(world.relay.stats().pendingQueries).toBe(0);
    expect(world.takeFrames()).toHaveLength(3);
    const [closed] = world.send(udpFrame({ address: DNS, port: 54 }, 40_053, Buffer.from("x")));
    expect(closed && readIcmp(closed)).toMatchObject({ code: 3 });
  });
});
