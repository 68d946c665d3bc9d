import { checksumOf, isSound, pseudoHeaderSum, sumOf } from "./checksum.ts";
import { read16, read32, write16, write32 } from "./ethernet.ts";
import { type Ipv4Output, type Ipv4Packet, PAYLOAD_AT, PROTOCOL_TCP } from "./ipv4.ts";
import type { Endpoint } from "./udp.ts";
import type { FrameInfo } from "./wire.ts";

/** TCP segments as bytes (RFC 9293, 3.1), with the options MSS and window scale (RFC 7323, 2). */

export const TCP_HEADER_BYTES = 20;
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

const OPT_END = 0;
const OPT_NOP = 1;
const OPT_MSS = 2;
const OPT_WINDOW_SCALE = 3;
/** RFC 7323, 2.3. */
const MAX_WINDOW_SCALE = 14;

export interface Segment {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  flags: number;
  /** As it stands in the header, not scaled. */
  window: number;
  /** Header options; for `parseTcpOptions`. */
  options: Uint8Array;
  /** A view into the packet. */
  payload: Uint8Array;
}

/** Reads a segment, or says what is wrong with it. */
export function parseSegment(packet: Ipv4Packet, verifiesChecksum: boolean): Segment | string {
  const { payload: bytes } = packet;
  if (bytes.length < TCP_HEADER_BYTES) return "TCP: too short";
  const headerBytes = ((bytes[12] ?? 0) >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > bytes.length) return "TCP: bad length";
  if (verifiesChecksum) {
    const { source, destination } = packet;
    const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_TCP, bytes.length);
    if (!isSound(pseudo + sumOf(bytes, 0, bytes.length))) return "TCP: wrong checksum";
  }
  const sourcePort = read16(bytes, 0);
  const destinationPort = read16(bytes, 2);
  if (sourcePort === 0 || destinationPort === 0) return "TCP: port 0";
  return {
    sourcePort,
    destinationPort,
    sequence: read32(bytes, 4),
    acknowledgment: read32(bytes, 8),
    flags: bytes[13] ?? 0,
    window: read16(bytes, 14),
    options: bytes.subarray(TCP_HEADER_BYTES, headerBytes),
    payload: bytes.subarray(headerBytes),
  };
}

export interface TcpOptions {
  /** RFC 9293, 3.7.1: 536 where the other side says nothing. */
  mssBytes: number;
  /** `undefined` when the other side does not scale. */
  windowScale: number | undefined;
}

export function parseTcpOptions(options: Uint8Array): TcpOptions {
  const parsed: TcpOptions = { mssBytes: 536, windowScale: undefined };
  for (let at = 0; at < options.length; ) {
    const kind = options[at];
    if (kind === OPT_END) break;
    if (kind === OPT_NOP) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) break;
    if (kind === OPT_MSS && length === 4) parsed.mssBytes = read16(options, at + 2);
    if (kind === OPT_WINDOW_SCALE && length === 3)
      parsed.windowScale = Math.min(options[at + 2] ?? 0, MAX_WINDOW_SCALE);
    at += length;
  }
  return parsed;
}

export interface SegmentToSend {
  from: Endpoint;
  to: Endpoint;
  sequence: number;
  acknowledgment: number;
  flags: number;
  /** As it stands in the header. */
  window: number;
  /** On segments with SYN. */
  options?: TcpOptions;
}

/** Sends segments; payload is put into the wire's frame beforehand, at `payloadAt`. */
export class SegmentOutput {
  readonly ip: Ipv4Output;
  readonly #makesChecksums: boolean;

  /** Without checksums where the card says that they have been checked (virtio 1.2, 5.1.6.4.1). */
  constructor(ip: Ipv4Output, makesChecksums: boolean) {
    this.ip = ip;
    this.#makesChecksums = makesChecksums;
  }

  get frame(): Uint8Array {
    return this.ip.wire.frame;
  }

  /** Where the payload of a segment without options goes. */
  readonly payloadAt = PAYLOAD_AT + TCP_HEADER_BYTES;

  /** A segment without payload; waits when the guest has no room. */
  control(segment: SegmentToSend): void {
    const length = this.#write(segment, 0);
    this.ip.answer(headerOf(segment), length);
  }

  /** A segment with payload, for which there is room. */
  data(segment: SegmentToSend, payloadBytes: number, info?: FrameInfo): void {
    const length = this.#write(segment, payloadBytes);
    this.ip.transmit(headerOf(segment), length, info);
  }

  #write(segment: SegmentToSend, payloadBytes: number): number {
    const frame = this.frame;
    const at = PAYLOAD_AT;
    let end = at + TCP_HEADER_BYTES;
    if (segment.options !== undefined) end = writeOptions(frame, end, segment.options);
    write16(frame, at, segment.from.port);
    write16(frame, at + 2, segment.to.port);
    write32(frame, at + 4, segment.sequence);
    write32(frame, at + 8, segment.acknowledgment);
    frame[at + 12] = ((end - at) >>> 2) << 4;
    frame[at + 13] = segment.flags;
    write16(frame, at + 14, segment.window);
    write32(frame, at + 16, 0); // checksum, urgent pointer
    const length = end - at + payloadBytes;
    if (this.#makesChecksums) {
      const { from, to } = segment;
      const pseudo = pseudoHeaderSum(from.address, to.address, PROTOCOL_TCP, length);
      write16(frame, at + 16, checksumOf(pseudo + sumOf(frame, at, at + length)));
    }
    return length;
  }
}

function headerOf(segment: SegmentToSend) {
  return {
    protocol: PROTOCOL_TCP,
    source: segment.from.address,
    destination: segment.to.address,
  };
}

function writeOptions(frame: Uint8Array, at: number, options: TcpOptions): number {
  frame[at] = OPT_MSS;
  frame[at + 1] = 4;
  write16(frame, at + 2, options.mssBytes);
  if (options.windowScale === undefined) return at + 4;
  frame[at + 4] = OPT_NOP;
  frame[at + 5] = OPT_WINDOW_SCALE;
  frame[at + 6] = 3;
  frame[at + 7] = options.windowScale;
  return at + 8;
}
