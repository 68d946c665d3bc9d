import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { NetworkParameters } from "../../workers/machine/messages.ts";
import { RelayNetwork } from "../../workers/machine/network.ts";
import { FLAG, icmpFrame, tcpFrame } from "../relay/support/frames.ts";

const CLOSED: NetworkParameters = { backend: "relay", rules: "", hostPorts: [], limits: {} };

const ping = () => icmpFrame("10.0.2.2", 8, 0, Buffer.from("0001000161", "hex"));

interface Guest {
  processor?: { isHalted: boolean; instructions: number };
  /** What it hands over when it gets a frame. */
  answer?: (frame: Buffer) => Uint8Array | undefined;
}

function plugged(
  parameters = CLOSED,
  { processor = { isHalted: true, instructions: 0 }, answer }: Guest = {},
) {
  const frames: Uint8Array[] = [];
  const handedOver: Uint8Array[] = [];
  const network = new RelayNetwork({
    parameters,
    card: {
      room: 10,
      send: (frame) => {
        const answered = answer?.(Buffer.from(frame));
        if (answered === undefined) frames.push(Uint8Array.from(frame));
        else receive(answered);
      },
      take: () => handedOver.splice(0),
    },
    mtuBytes: 1500,
    processor,
    onRefused: () => {},
    onFault: (error) => {
      throw error;
    },
  });
  const receive = (frame: Uint8Array) => {
    handedOver.push(frame);
    network.planBatch();
  };
  return {
    network,
    receive,
    frames,
    batch: () => new Promise((resolve) => setTimeout(resolve, 20)),
  };
}

test("a frame is answered between two slices of the guest's time, not within one", async () => {
  const { network, receive, frames, batch } = plugged();
  network.resume();
  receive(ping());
  expect(frames).toEqual([]);
  await batch();
  expect(frames).toHaveLength(1);
});

test("nothing is written into a guest that stands still, and all of it when it goes on", async () => {
  const { network, receive, frames, batch } = plugged();
  network.resume();
  receive(ping());
  network.pause();
  await batch();
  expect(frames).toEqual([]);
  network.resume();
  await batch();
  expect(frames).toHaveLength(1);
});

test("frames of the sandbox before are not answered to the next", async () => {
  const { network, receive, frames, batch } = plugged();
  network.resume();
  receive(ping());
  network.pause();
  network.enter([]);
  network.resume();
  await batch();
  expect(frames).toEqual([]);
});

test("a sandbox that comes back is told that its connections are over", async () => {
  const { network, frames, batch } = plugged();
  const flow = {
    guest: { address: 0x0a00020f, port: 40_000 },
    remote: { address: 0x5db8d822, port: 443 },
    sequence: 1_000,
    acknowledgment: 2_000,
  };
  network.enter([flow]);
  await batch();
  expect(frames).toEqual([]);
  network.resume();
  await batch();
  // The card says that the checksum was checked, so there is none.
  const [segment = Buffer.alloc(0)] = frames.map((frame) => Buffer.from(frame).subarray(34));
  expect(segment.readUInt16BE(0)).toBe(443);
  expect(segment.readUInt16BE(2)).toBe(40_000);
  expect(segment.readUInt32BE(4)).toBe(1_000);
  expect(segment.readUInt8(13) & FLAG.rst).not.toBe(0);
});

test("without a network a connection is refused, not left waiting", async () => {
  const { network, receive, batch } = plugged({ ...CLOSED, backend: "none", rules: "allow any" });
  network.resume();
  const syn = { sourcePort: 40_000, sequence: 1, flags: FLAG.syn };
  receive(tcpFrame({ destination: "93.184.216.34", destinationPort: 80, ...syn }));
  await batch();
  expect(network.stats.counts).toMatchObject({ "refused: no rule allows it": 1 });
});

test("a published port leads to one sandbox alone", async () => {
  const { network, frames, batch } = plugged();
  network.resume();
  const { port } = await network.publish({ address: "127.0.0.1", port: 0, guestPort: 80 });
  const first = connect(port, "127.0.0.1");
  await once(first, "connect");
  await batch();
  expect(frames).toHaveLength(1);
  network.enter([]);
  await expect(once(first, "end")).rejects.toThrow("ECONNRESET");
  await expect(once(connect(port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
});

test("a published socket is this user's alone, and leads to one sandbox alone", async () => {
  const { network, frames, batch } = plugged();
  network.resume();
  const folder = mkdtempSync(join(tmpdir(), "mom-socket-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "socket");
  await network.publishSocket({ path, guestPort: 80 });
  expect(statSync(path).mode & 0o022).toBe(0);
  const first = connect(path);
  await once(first, "connect");
  await batch();
  expect(frames).toHaveLength(1);
  network.enter([]);
  await once(first, "close");
  expect(existsSync(path)).toBe(false);
});

test("a socket that is still being made when another sandbox comes does not lead to that one", async () => {
  const { network } = plugged();
  const folder = mkdtempSync(join(tmpdir(), "mom-socket-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "socket");
  const made = network.publishSocket({ path, guestPort: 80 });
  network.enter([]);
  await expect(made).rejects.toMatchObject({ code: "PUBLISH_FAILED" });
  expect(existsSync(path)).toBe(false);
});

test("a port that is taken is told", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await expect(
    plugged().network.publish({ address: "127.0.0.1", port, guestPort: 80 }),
  ).rejects.toThrow(
    `The port 127.0.0.1:${port} of the host cannot be taken: another program listens there.`,
  );
  server.close();
});

test("a guest that is never idle gets 48 MiB, then answers alone until it has worked, then the rest", async () => {
  const MIB = 1024 * 1024;
  const server = createServer((socket) => socket.end(Buffer.alloc(60 * MIB)));
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const way = { destination: "10.0.2.2", sourcePort: 40_000, destinationPort: port };
  // MSS 1460 and windows in units of 16 KiB.
  const options = [2, 4, 0x05, 0xb4, 1, 3, 3, 14];
  const processor = { isHalted: false, instructions: 7 };
  let bytes = 0;
  let hasEnded = false;
  const { network, receive, frames, batch } = plugged(
    { ...CLOSED, hostPorts: [port] },
    {
      processor,
      answer(frame) {
        if (frame.readUInt8(23) !== 6) return undefined;
        const tcp = frame.subarray(34);
        const flags = tcp.readUInt8(13);
        const length = tcp.length - (tcp.readUInt8(12) >> 4) * 4;
        bytes += length;
        hasEnded ||= (flags & FLAG.fin) !== 0;
        const taken = length + ((flags & (FLAG.syn | FLAG.fin)) !== 0 ? 1 : 0);
        const acknowledgment = (tcp.readUInt32BE(4) + taken) >>> 0;
        return tcpFrame({ ...way, sequence: 1001, acknowledgment, flags: FLAG.ack, window: 0xff });
      },
    },
  );
  network.resume();
  receive(tcpFrame({ ...way, sequence: 1000, flags: FLAG.syn, options }));
  await expect.poll(() => bytes).toBeGreaterThan(47.9 * MIB);
  await batch();
  receive(ping());
  await expect.poll(() => frames.length).toBe(1);
  // One batch more than the bound at most.
  expect(bytes).toBeLessThan(49 * MIB);
  expect(hasEnded).toBe(false);

  processor.instructions += 100_000_000;
  await expect.poll(() => hasEnded).toBe(true);
  expect(bytes).toBe(60 * MIB);
});
