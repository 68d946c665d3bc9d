import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { forward, nodeHost, Policy, Relay, type RelayOptions } from "../../relay/index.ts";
import {
  FLAG,
  hex,
  isTcp,
  readIcmp,
  readTcp,
  readUdp,
  tcpFrame,
  udpFrame,
} from "./support/frames.ts";
import { ModelGuest } from "./support/model-guest.ts";

/** The relay over real sockets; everything stays on this computer's loopback, which the policy opens. */

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function makeRelay(options: Partial<RelayOptions> & Pick<RelayOptions, "send">): Relay {
  const relay = new Relay({
    host: nodeHost({ resolve: async () => ({ status: "failed", records: [] }) }),
    policy: Policy.parse("allow 127.0.0.0/8"),
    ...options,
  });
  cleanups.push(() => relay.close());
  return relay;
}

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** A guest on the wire that sends bytes, then FIN, and reads until the other side's. */
async function talk(port: number, toSend: Buffer, count = 1, mtu = 65_535) {
  const guests = new Map<number, ModelGuest>();
  const relay = makeRelay({
    mtu,
    send: (frame) => {
      const copy = Buffer.from(frame);
      if (!isTcp(copy)) return;
      const segment = readTcp(copy);
      setImmediate(() => guests.get(segment.destinationPort)?.receive(segment));
    },
  });
  for (let index = 0; index < count; index++) {
    const guest = new ModelGuest({
      destination: "127.0.0.1",
      destinationPort: port,
      sourcePort: 30_000 + index,
      sequence: 1000 * index,
      mss: mtu - 40,
      windowBytes: 1_000_000,
      scale: 7,
      toSend,
      send: (frame) => relay.receive(Uint8Array.from(frame)),
      nowMs: () => performance.now(),
    });
    guests.set(30_000 + index, guest);
    guest.start();
  }
  await until(() => {
    for (const guest of guests.values()) {
      guest.read(1_000_000);
      guest.tick();
      if (guest.wasReset) throw new Error("reset");
    }
    return [...guests.values()].every((guest) => guest.isDone);
  });
  return { relay, received: [...guests.values()].map((guest) => Buffer.concat(guest.received)) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 31) ^ (index >> 8)));
}

test("an upload and its echo come through whole, and nothing is left behind", async () => {
  const port = await serve((socket) => socket.pipe(socket));
  const data = pattern(5_000_000);
  const { relay, received } = await talk(port, data);
  expect(received[0]?.equals(data)).toBe(true);
  await until(() => relay.stats().tcpConnections === 0);
  expect(relay.stats()).toMatchObject({
    bufferedBytes: 0,
    upBytes: 5_000_000,
    downBytes: 5_000_000,
  });
});

test("half-close: the server answers after the guest has ended", async () => {
  const port = await serve((socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("end", () => socket.end(`got ${Buffer.concat(parts).length}`));
  });
  const { received } = await talk(port, pattern(100_000), 1, 1500);
  expect(String(received[0])).toBe("got 100000");
});

test("200 connections at once are all right", async () => {
  const answer = pattern(50_000);
  const port = await serve((socket) => {
    socket.resume();
    socket.end(answer);
  });
  const { relay, received } = await talk(port, Buffer.from("GET"), 200);
  expect(received.every((bytes) => bytes.equals(answer))).toBe(true);
  await until(() => relay.stats().tcpConnections === 0);
  expect(relay.stats().bufferedBytes).toBe(0);
});

const syn = (destinationPort: number, destination = "127.0.0.1") =>
  Uint8Array.from(
    tcpFrame({ destination, destinationPort, sourcePort: 30_000, sequence: 9, flags: FLAG.syn }),
  );

test("a port where nothing listens is a RST at once", async () => {
  const port = await serve(() => {});
  await cleanups.pop()?.();
  const frames: Buffer[] = [];
  makeRelay({ send: (frame) => frames.push(Buffer.from(frame)) }).receive(syn(port));
  await until(() => frames.length > 0);
  expect(readTcp(frames[0] ?? hex(""))).toMatchObject({
    flags: FLAG.rst | FLAG.ack,
    acknowledgment: 10,
  });
});

test("a server that breaks the connection off is a RST, and closeAll a RST for the server", async () => {
  const errors: string[] = [];
  const sockets: Socket[] = [];
  const port = await serve((socket) => {
    sockets.push(socket);
    socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
  });
  const seen: ReturnType<typeof readTcp>[] = [];
  const relay = makeRelay({ send: (frame) => seen.push(readTcp(Buffer.from(frame))) });
  const open = async (sourcePort: number) => {
    seen.length = 0;
    const fields = { destination: "127.0.0.1", destinationPort: port, sourcePort };
    relay.receive(Uint8Array.from(tcpFrame({ ...fields, sequence: 9, flags: FLAG.syn })));
    await until(() => seen.length > 0);
    const acknowledgment = (seen[0]?.sequence ?? 0) + 1;
    relay.receive(
      Uint8Array.from(tcpFrame({ ...fields, sequence: 10, acknowledgment, flags: FLAG.ack })),
    );
    seen.length = 0;
  };
  await open(30_001);
  await until(() => sockets.length === 1);
  sockets[0]?.resetAndDestroy();
  await until(() => seen.length > 0);
  expect(seen[0]?.flags).toBe(FLAG.rst | FLAG.ack);
  await open(30_002);
  await until(() => sockets.length === 2);
  relay.closeAll();
  await until(() => errors.length > 0);
  expect(errors).toEqual(["ECONNRESET"]);
});

test("a server that never reads stops the guest, and holds a bounded amount", async () => {
  const port = await serve((socket) => socket.pause());
  const seen: ReturnType<typeof readTcp>[] = [];
  const relay = makeRelay({
    limits: { connectionBufferBytes: 262_144 },
    send: (frame) => seen.push(readTcp(Buffer.from(frame))),
  });
  const fields = { destination: "127.0.0.1", destinationPort: port, sourcePort: 30_001 };
  const options = [2, 4, 0x05, 0xb4, 3, 3, 2, 0];
  relay.receive(Uint8Array.from(tcpFrame({ ...fields, sequence: 9, flags: FLAG.syn, options })));
  await until(() => seen.length > 0);
  const acknowledgment = (seen[0]?.sequence ?? 0) + 1;
  const scale = seen[0]?.windowScale ?? 0;
  let sequence = 10;
  let edge = sequence + (seen[0]?.window ?? 0);
  const payload = Buffer.alloc(1460);
  let idle = 0;
  while (idle < 50) {
    if (edge - sequence >= 1460) {
      idle = 0;
      relay.receive(
        Uint8Array.from(
          tcpFrame({ ...fields, sequence, acknowledgment, flags: FLAG.ack, payload }),
        ),
      );
      sequence += 1460;
    } else {
      idle++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (sequence % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const segment of seen.splice(0))
      edge = Math.max(edge, segment.acknowledgment + (segment.window << scale));
    expect(relay.stats().bufferedBytes).toBeLessThan(600_000);
  }
  expect(sequence).toBeGreaterThan(262_144);
});

test("UDP goes out and comes back, and a port where nobody listens is unreachable", async () => {
  const server = createSocket("udp4");
  server.on("message", (bytes, peer) => server.send(`echo ${bytes}`, peer.port, peer.address));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const frames: Buffer[] = [];
  const relay = makeRelay({ send: (frame) => frames.push(Buffer.from(frame)) });
  const send = (text: string) =>
    relay.receive(
      Uint8Array.from(udpFrame({ address: "127.0.0.1", port }, 40_000, Buffer.from(text))),
    );
  send("one");
  await until(() => frames.length > 0);
  expect(String(readUdp(frames[0] ?? hex("")).payload)).toBe("echo one");
  frames.length = 0;
  await new Promise<void>((resolve) => server.close(resolve));
  send("two");
  await until(() => frames.length > 0);
  expect(readIcmp(frames[0] ?? hex(""))).toMatchObject({ type: 3, code: 3 });
});

test("the computer's own addresses are closed without a rule", async () => {
  const frames: Buffer[] = [];
  const relay = makeRelay({
    policy: Policy.internet(),
    send: (frame) => frames.push(Buffer.from(frame)),
  });
  const own = nodeHost().ownAddresses();
  expect(own).toContain("127.0.0.1");
  for (const address of own) relay.receive(syn(80, address));
  expect(frames.map((frame) => readIcmp(frame).code)).toEqual(own.map(() => 13));
  expect(relay.stats().tcpConnecting).toBe(0);
});

test("a forwarded port of the host's reaches the guest, and is reset where nothing listens", async () => {
  const frames: Buffer[] = [];
  const relay = makeRelay({ send: (frame) => frames.push(Buffer.from(frame)) });
  const forwarded = await forward({
    relay,
    guestPort: 8080,
    place: { address: "127.0.0.1", port: 0 },
  });
  cleanups.push(() => forwarded.close());
  const client = connect(forwarded.port, "127.0.0.1");
  cleanups.push(() => client.destroy());
  client.write("hello guest");
  await until(() => frames.length > 0);
  const first = readTcp(frames[0] ?? hex(""));
  expect(first).toMatchObject({ flags: FLAG.syn, destinationPort: 8080, source: "10.0.2.2" });
  const to = { destination: "10.0.2.2", sourcePort: 8080, destinationPort: first.sourcePort };
  const answer = { ...to, sequence: 5, acknowledgment: first.sequence + 1 };
  relay.receive(
    Uint8Array.from(tcpFrame({ ...answer, flags: FLAG.syn | FLAG.ack, options: [2, 4, 5, 180] })),
  );
  await until(() => frames.some((frame) => readTcp(frame).payload.length > 0));
  expect(String(readTcp(frames.at(-1) ?? hex("")).payload)).toBe("hello guest");
  const text = new Promise((resolve) => client.once("data", (data) => resolve(String(data))));
  relay.receive(
    Uint8Array.from(
      tcpFrame({ ...answer, sequence: 6, flags: FLAG.ack, payload: Buffer.from("hello host") }),
    ),
  );
  expect(await text).toBe("hello host");

  const refused = connect(forwarded.port, "127.0.0.1");
  const code = new Promise((resolve) =>
    refused.on("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  frames.length = 0;
  await until(() => frames.some((frame) => readTcp(frame).flags === FLAG.syn));
  const second = readTcp(frames.find((frame) => readTcp(frame).flags === FLAG.syn) ?? hex(""));
  relay.receive(
    Uint8Array.from(
      tcpFrame({
        ...to,
        destinationPort: second.sourcePort,
        sequence: 0,
        acknowledgment: second.sequence + 1,
        flags: FLAG.rst | FLAG.ack,
      }),
    ),
  );
  expect(await code).toBe("ECONNRESET");
});
