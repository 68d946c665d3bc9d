import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Policy } from "../../relay/index.ts";
import { integersFrom } from "../support/random.ts";
import { query } from "./support/dns.ts";
import {
  DNS,
  ethernet,
  FLAG,
  GATEWAY,
  GUEST,
  GUEST_MAC,
  hex,
  icmpFrame,
  ipv4,
  readIp,
  readTcp,
  slowChecksum,
  tcpFrame,
  udpFrame,
} from "./support/frames.ts";
import { SimHost } from "./support/sim-host.ts";
import { SERVER, World } from "./support/world.ts";

/**
 * Frames of a small corpus (corpus/frames.hex, one a line), changed and sent. Whatever comes: nothing is thrown, every
 * frame that goes back is sound, and nothing grows without bound. `MOM_SEED` and `MOM_FRAMES` run another round.
 */
const seed = Number(process.env.MOM_SEED ?? 20_241_118);
const total = Number(process.env.MOM_FRAMES ?? 60_000);
const corpus = readFileSync(join(import.meta.dirname, "corpus/frames.hex"), "utf8")
  .trim()
  .split("\n")
  .map((line) => Buffer.from(line, "hex"));

const EDGES = [0, 1, 0x7f, 0x80, 0xff];

function freshFrame(random: (below: number) => number, world: World): Buffer {
  const port = () => [53, 67, 80, 443, 8080, random(65_536)][random(6)] ?? 80;
  const address = () =>
    [SERVER, GATEWAY, DNS, GUEST, "127.0.0.1", "10.0.2.255", "224.0.0.1"][random(7)] ?? SERVER;
  const payload = Buffer.from(
    Uint8Array.from({ length: random(3) * random(900) }, () => random(256)),
  );
  switch (random(8)) {
    case 0:
      return corpus[random(corpus.length)] ?? hex("");
    case 1:
      return udpFrame({ address: address(), port: port() }, random(65_536), payload);
    case 2:
      return udpFrame(
        { address: DNS, port: 53 },
        9,
        random(2) ? payload : query("www.example", random(300)),
      );
    case 3:
      return icmpFrame(address(), random(20), random(16), payload);
    case 4:
      return ethernet(
        0x0800,
        ipv4({ destination: address(), protocol: random(256), fragment: random(65_536) }, payload),
      );
    default: {
      // Often one of few connections, with numbers that are nearly right.
      const [stream] = world.host.streams.slice(-1 - random(4));
      return tcpFrame({
        destination: stream?.target.address ?? address(),
        destinationPort: stream?.target.port ?? port(),
        sourcePort: 40_000 + random(4),
        sequence: 1000 + random(3),
        acknowledgment: 0x12345679 + random(3),
        flags:
          random(3) === 0
            ? random(64)
            : ([FLAG.syn, FLAG.ack, FLAG.ack | FLAG.fin][random(3)] ?? 0),
        window: random(2) ? 65_535 : random(100),
        options:
          [[], [2, 4, 5, 180], [3, 3, 14, 0], [2, 4, 0, 0], [3, 3, 255, 2], [2, 0, 0, 0]][
            random(6)
          ] ?? [],
        payload,
      });
    }
  }
}

/** Changes a few bytes, cuts or lengthens; now and then puts the checksums right again. */
function mutate(frame: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(frame);
  for (let changes = random(4); changes > 0 && bytes.length > 0; changes--)
    bytes[random(random(2) ? bytes.length : Math.min(60, bytes.length))] = random(2)
      ? random(256)
      : (EDGES[random(EDGES.length)] ?? 0);
  if (random(10) === 0) bytes = bytes.subarray(0, random(bytes.length + 1));
  if (random(10) === 0) bytes = Buffer.concat([bytes, Buffer.alloc(random(2000))]);
  if (random(2) === 0 && bytes.length >= 34) {
    const end = 14 + ((bytes[14] ?? 0) & 15) * 4;
    bytes.writeUInt16BE(0, 24);
    bytes.writeUInt16BE(slowChecksum(bytes.subarray(14, Math.min(end, bytes.length))), 24);
  }
  return bytes;
}

test("no frame throws, draws an unsound answer, or makes anything grow", {
  timeout: 120_000,
}, async () => {
  const random = integersFrom(seed);
  const host = new SimHost(() => 0x12345678);
  host.answerA("www.example", [SERVER]);
  const limits = {
    connections: 20,
    connecting: 10,
    udpFlows: 10,
    newFlowsPerSecond: 1000,
    bufferBytes: 1_000_000,
    connectionBufferBytes: 32_768,
  };
  const policy = Policy.parse("allow tcp *.example 443\nallow any", [8080]);
  const world = new World({ limits, policy }, host);
  const lent = new Set<Uint8Array>();
  for (let sent = 0; sent < total; sent++) {
    const fresh = freshFrame(random, world);
    const frame = random(3) === 0 ? mutate(fresh, random) : fresh;
    const about = `seed ${seed}, frame ${sent}: ${frame.toString("hex").slice(0, 300)}`;
    world.relay.receive(Uint8Array.from(frame));
    host.settle();
    if (random(10) === 0) live(host, random, lent);
    if (random(20) === 0) host.advance(random(3000));
    if (random(500) === 0) await host.settleAll();
    if (random(5000) === 0) world.relay.closeAll();
    if (world.faults.length > 0) throw new Error(about, { cause: world.faults[0] });
    for (const answer of world.takeFrames()) {
      if (answer.readUInt16BE(12) === 0x0806) continue;
      const { protocol } = readIp(answer);
      if (protocol === 6) readTcp(answer);
      if (answer.length > 1514) throw new Error(`${answer.length} bytes in an answer; ${about}`);
    }
    const { tcpConnections, udpFlows, bufferedBytes, fragmentBytes } = world.relay.stats();
    if (
      tcpConnections > 20 ||
      udpFlows > 10 ||
      bufferedBytes > 20 * 400_000 ||
      fragmentBytes > 16 * 65_535
    )
      throw new Error(
        `${tcpConnections}, ${udpFlows}, ${bufferedBytes}, ${fragmentBytes}; ${about}`,
      );
    if (host.streams.length > 100) host.streams.splice(0, 50);
    if (host.sockets.length > 100) host.sockets.splice(0, 50);
  }
  const { counts } = world.relay.stats();
  console.info(`seed ${seed}, ${total} frames: ${JSON.stringify(counts)}`);
  expect(counts.fault).toBeUndefined();
  expect(Object.keys(counts).length).toBeLessThan(100);
  expect(counts["reset: no such connection"]).toBeGreaterThan(0);

  world.relay.closeAll();
  host.settle();
  expect(world.relay.stats()).toMatchObject({ tcpConnections: 0, udpFlows: 0, bufferedBytes: 0 });
  expect(lent.size, "chunks kept").toBe(0);
  host.advance(10_000_000);
  expect(host.timerCount).toBe(0);
  // And it still works.
  world.takeFrames();
  const [pong] = world.send(icmpFrame(GATEWAY, 8, 0, hex("0001 0001")));
  expect(pong?.subarray(0, 6)).toEqual(hex(GUEST_MAC));
  expect(readIp(pong ?? hex("")).payload[0]).toBe(0);
});

/** The outside does something, too. `lent`: what it has given and not got back. */
function live(host: SimHost, random: (below: number) => number, lent: Set<Uint8Array>): void {
  const stream = host.streams.at(-1 - random(4));
  const socket = host.sockets.at(-1 - random(4));
  if (stream !== undefined && stream.destroyed === "no") {
    const { events } = stream;
    const choice = random(6);
    if (choice <= 1) events.onConnect(stream.target.address);
    else if (choice === 2 && !stream.isPaused) {
      const bytes = new Uint8Array(random(30_000));
      lent.add(bytes);
      events.onData(bytes, () => {
        if (!lent.delete(bytes)) throw new Error("released twice");
      });
    } else if (choice === 3) events.onEnd();
    else if (choice === 4) stream.take(random(10_000));
    else {
      events.onError(["ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "EPIPE"][random(4)] ?? "");
      stream.destroyed = "closed";
    }
  }
  if (socket !== undefined && !socket.isClosed) {
    if (random(3) > 0) socket.events.onMessage(new Uint8Array(random(3000)));
    else socket.events.onError("ECONNREFUSED");
  }
}
