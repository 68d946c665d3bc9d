import { expect } from "vitest";
import { Relay, type RelayOptions } from "../../../relay/index.ts";
import { FLAG, readTcp, type SeenTcp, type TcpFields, tcpFrame } from "./frames.ts";
import { SimHost, type SimStream } from "./sim-host.ts";

/** A relay, a simulated outside, and what came out to the guest. */
export class World {
  readonly host: SimHost;
  readonly relay: Relay;
  readonly frames: Buffer[] = [];
  readonly refusals: string[] = [];
  readonly faults: unknown[] = [];
  /** Free receive descriptors of the guest's card. */
  descriptors = Number.POSITIVE_INFINITY;

  constructor(options: Partial<RelayOptions> = {}, host = new SimHost()) {
    this.host = host;
    this.relay = new Relay({
      host,
      send: (frame) => {
        this.descriptors--;
        this.frames.push(Buffer.from(frame));
      },
      canSend: () => this.descriptors,
      onRefused: ({ protocol, target, reason }) =>
        this.refusals.push(`${protocol} ${target}: ${reason}`),
      onFault: (error) => this.faults.push(error),
      ...options,
    });
  }

  /** Sends frames as one batch, and takes what comes back. */
  send(...frames: Uint8Array[]): Buffer[] {
    for (const frame of frames) this.relay.receive(Uint8Array.from(frame));
    this.host.settle();
    expect(this.faults).toEqual([]);
    return this.takeFrames();
  }

  takeFrames(): Buffer[] {
    this.host.settle();
    return this.frames.splice(0);
  }

  takeTcp(): SeenTcp[] {
    return this.takeFrames().map(readTcp);
  }

  /** The stream that the relay opened last. */
  get stream(): SimStream {
    const stream = this.host.streams.at(-1);
    if (stream === undefined) throw new Error("nothing was connected");
    return stream;
  }

  dropped(reason: string): number {
    return this.relay.stats().counts[reason] ?? 0;
  }
}

export const SERVER = "93.184.216.34";

/** A guest's end of one connection, driven by hand. */
export class HandTcp {
  readonly world: World;
  readonly to: { destination: string; sourcePort: number; destinationPort: number };
  sequence = 1000;
  acknowledgment = 0;

  constructor(world: World, destination = SERVER, destinationPort = 80, sourcePort = 40_000) {
    this.world = world;
    this.to = { destination, destinationPort, sourcePort };
  }

  /** MSS 1460 and window scale 2 unless told otherwise. */
  syn(options: number[] = [2, 4, 0x05, 0xb4, 1, 3, 3, 2]): SeenTcp[] {
    return this.send({ flags: FLAG.syn, options });
  }

  /** The whole handshake, with a server that accepts. */
  open(options?: number[]): SeenTcp {
    expect(this.syn(options)).toEqual([]);
    const { stream } = this.world;
    stream.events.onConnect(stream.target.address);
    const [answer] = this.world.takeTcp();
    if (answer === undefined) throw new Error("no SYN-ACK");
    expect(answer.flags).toBe(FLAG.syn | FLAG.ack);
    expect(answer.acknowledgment).toBe(this.sequence + 1);
    this.sequence++;
    this.acknowledgment = (answer.sequence + 1) >>> 0;
    expect(this.send({ flags: FLAG.ack })).toEqual([]);
    return answer;
  }

  /** Sends a segment; flags are ACK, and nothing of the state changes. */
  send(fields: Partial<TcpFields>): SeenTcp[] {
    const { sequence, acknowledgment } = this;
    const frame = tcpFrame({ ...this.to, flags: FLAG.ack, sequence, acknowledgment, ...fields });
    return this.world.send(frame).map(readTcp);
  }

  /** Sends data, and counts it. */
  data(text: string | Uint8Array, flags: number = FLAG.ack | FLAG.psh): SeenTcp[] {
    const payload = Buffer.from(text);
    const answers = this.send({ payload, flags });
    this.sequence += payload.length + ((flags & FLAG.fin) !== 0 ? 1 : 0);
    return answers;
  }
}
