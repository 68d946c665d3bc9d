import { describe, expect, test } from "vitest";
import { Relay } from "../../relay/index.ts";
import { integersFrom } from "../support/random.ts";
import { isTcp, readTcp } from "./support/frames.ts";
import { ModelGuest } from "./support/model-guest.ts";
import { SimHost } from "./support/sim-host.ts";
import { SERVER } from "./support/world.ts";

/**
 * Bytes in are bytes out: the relay between a plain TCP of the test's and a simulated host, over a wire that loses,
 * repeats and reorders frames. Seeds are in the titles; `MOM_SEED` runs another one.
 */
interface Weather {
  name: string;
  /** Of a thousand frames. */
  lost: number;
  repeated: number;
  late: number;
  mtu: number;
  guestMss: number;
  guestWindow: number;
  scale: number | undefined;
  connectionBufferBytes: number;
  downBytes: number;
  upBytes: number;
  segments?: boolean;
}

const fair = {
  lost: 0,
  repeated: 0,
  late: 0,
  mtu: 1500,
  guestMss: 1460,
  guestWindow: 65_535,
  scale: undefined,
  connectionBufferBytes: 262_144,
  downBytes: 300_000,
  upBytes: 300_000,
};

const weathers: Weather[] = [
  { ...fair, name: "a fair wire" },
  {
    ...fair,
    name: "a large MTU and scaled windows",
    mtu: 65_535,
    guestMss: 65_495,
    guestWindow: 1_000_000,
    scale: 7,
  },
  { ...fair, name: "loss", lost: 50 },
  { ...fair, name: "reordering and repetition", repeated: 50, late: 100 },
  {
    ...fair,
    name: "all at once",
    lost: 80,
    repeated: 40,
    late: 80,
    guestWindow: 200_000,
    scale: 3,
  },
  {
    ...fair,
    name: "tiny windows",
    guestWindow: 500,
    connectionBufferBytes: 1000,
    downBytes: 20_000,
    upBytes: 20_000,
  },
  {
    ...fair,
    name: "tiny windows and loss",
    lost: 50,
    late: 50,
    guestWindow: 3000,
    connectionBufferBytes: 4000,
    downBytes: 20_000,
    upBytes: 20_000,
  },
  { ...fair, name: "tiny segments", guestMss: 100, lost: 30, downBytes: 50_000, upBytes: 50_000 },
  { ...fair, name: "a guest that only uploads", downBytes: 0, lost: 30 },
  { ...fair, name: "a guest that only downloads", upBytes: 0, lost: 30 },
  {
    ...fair,
    name: "segments cut by the card",
    segments: true,
    guestWindow: 400_000,
    scale: 5,
    lost: 30,
    guestMss: 65_000,
  },
];
const seeds = process.env.MOM_SEED ? [Number(process.env.MOM_SEED)] : [1, 2, 3];

describe.each(weathers)("$name", (weather) => {
  test.each(seeds)("seed %i", (seed) => {
    const random = integersFrom(seed);
    const host = new SimHost(() => random(2 ** 32));
    const wire: { atMs: number; deliver: () => void }[] = [];
    const travel = (deliver: () => void) => {
      if (random(1000) < weather.lost) return;
      const copies = random(1000) < weather.repeated ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const lateMs = random(1000) < weather.late ? random(20) : 0;
        wire.push({ atMs: host.timeMs + 1 + lateMs, deliver });
      }
    };
    const faults: unknown[] = [];
    const lent = new Set<Uint8Array>();
    const relay: Relay = new Relay({
      host,
      mtu: weather.mtu,
      limits: { connectionBufferBytes: weather.connectionBufferBytes },
      offload: { segmentsToGuest: weather.segments === true },
      send: (frame) => {
        const copy = Buffer.from(frame);
        if (isTcp(copy)) travel(() => guest.receive(readTcp(copy)));
      },
      onFault: (error) => faults.push(error),
    });
    const bytesOf = (length: number) => Buffer.from(Uint8Array.from({ length }, () => random(256)));
    const up = bytesOf(weather.upBytes);
    const down = bytesOf(weather.downBytes);
    const guest = new ModelGuest({
      destination: SERVER,
      destinationPort: 80,
      sourcePort: 40_000,
      // Sequence numbers wrap on the way.
      sequence: 2 ** 32 - 1 - random(100_000),
      mss: weather.guestMss,
      windowBytes: weather.guestWindow,
      scale: weather.scale,
      toSend: up,
      send: (frame) => travel(() => relay.receive(Uint8Array.from(frame))),
      nowMs: () => host.timeMs,
    });

    guest.start();
    let sent = 0;
    let isEnded = false;
    let isConnected = false;
    for (let step = 0; step < 400_000 && !(guest.isDone && host.streams[0]?.isEnded); step++) {
      host.advance(1);
      const due = wire.filter(({ atMs }) => atMs <= host.timeMs);
      for (const { deliver } of due) deliver();
      wire.splice(0, wire.length, ...wire.filter((entry) => !due.includes(entry)));
      guest.tick();
      if (random(3) === 0) guest.read(random(weather.guestWindow + 1));
      const [stream] = host.streams;
      if (stream === undefined) continue;
      if (!isConnected) {
        isConnected = true;
        stream.roomBytes = 1000;
        stream.events.onConnect(SERVER);
      }
      if (random(2) === 0) stream.take(random(20_000));
      if (!stream.isPaused && sent < down.length && random(2) === 0) {
        const chunk = down.subarray(sent, sent + 1 + random(random(10) === 0 ? 65_536 : 2000));
        sent += chunk.length;
        const bytes = Uint8Array.from(chunk);
        lent.add(bytes);
        // What the relay no longer needs is another stream's from then on.
        stream.events.onData(bytes, () => {
          if (!lent.delete(bytes)) faults.push(new Error("released twice"));
          bytes.fill(0xee);
        });
      }
      if (sent === down.length && !isEnded && random(20) === 0) {
        isEnded = true;
        stream.events.onEnd();
      }
      const held = relay.stats().bufferedBytes;
      const bound = 2 * weather.connectionBufferBytes + 65_536 * 2 + 4096;
      if (held > bound) throw new Error(`${held} bytes held, seed ${seed}`);
    }

    expect(faults).toEqual([]);
    expect(guest.wasReset, `reset, seed ${seed}`).toBe(false);
    const [stream] = host.streams;
    stream?.take(Number.POSITIVE_INFINITY);
    expect(Buffer.concat(guest.received).equals(down), `down, seed ${seed}`).toBe(true);
    expect(Buffer.concat(stream?.received ?? []).equals(up), `up, seed ${seed}`).toBe(true);
    // Time for the last acknowledgments, which may be lost, too.
    for (let step = 0; step < 10_000; step++) {
      host.advance(1);
      const due = wire.splice(0);
      for (const { deliver } of due) deliver();
      guest.tick();
    }
    expect(host.streams).toHaveLength(1);
    expect(relay.stats()).toMatchObject({ tcpConnections: 0, bufferedBytes: 0 });
    expect(faults).toEqual([]);
    expect(lent.size, `chunks kept, seed ${seed}`).toBe(0);
  });
});
