import type { Ipv4, Mac } from "./address.ts";
import { checksumOf, isSound, sumOf } from "./checksum.ts";
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  read16,
  read32,
  write16,
  write32,
} from "./ethernet.ts";
import type { FrameInfo, Wire } from "./wire.ts";

/** IPv4 packets (RFC 791). */

export const IPV4_HEADER_BYTES = 20;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
/** Where in the wire's frame a packet's payload is put. */
export const PAYLOAD_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

const VERSION_4 = 4;
const MORE_FRAGMENTS = 0x2000;
const DONT_FRAGMENT = 0x4000;
const FRAGMENT_OFFSET = 0x1fff;
/** RFC 1700; what Linux sends. */
const TIME_TO_LIVE = 64;
const MAX_PACKET_BYTES = 0xffff;
/** The longest IPv4 header, and 8 bytes of what it carries (RFC 792). */
const QUOTE_BYTES = 68;

export interface Ipv4Packet {
  source: Ipv4;
  destination: Ipv4;
  protocol: number;
  timeToLive: number;
  identification: number;
  /** Bytes before this packet's payload in the whole datagram. */
  fragmentOffset: number;
  moreFragments: boolean;
  /** Header and payload, without what pads the frame. */
  packet: Uint8Array;
  /** A view into `packet`. */
  payload: Uint8Array;
}

/** Reads the packet of a frame, or says what is wrong with it. */
export function parseIpv4Packet(frame: Uint8Array): Ipv4Packet | string {
  const at = ETHERNET_HEADER_BYTES;
  if (frame.length < at + IPV4_HEADER_BYTES) return "IPv4: too short";
  const first = frame[at] ?? 0;
  if (first >>> 4 !== VERSION_4) return "IPv4: another version";
  const headerBytes = (first & 15) * 4;
  const totalBytes = read16(frame, at + 2);
  if (headerBytes < IPV4_HEADER_BYTES || totalBytes < headerBytes) return "IPv4: bad length";
  if (frame.length < at + totalBytes) return "IPv4: shorter than it says";
  if (!isSound(sumOf(frame, at, at + headerBytes))) return "IPv4: wrong checksum";
  const flags = read16(frame, at + 6);
  const packet = frame.subarray(at, at + totalBytes);
  return {
    source: read32(frame, at + 12),
    destination: read32(frame, at + 16),
    protocol: frame[at + 9] ?? 0,
    timeToLive: frame[at + 8] ?? 0,
    identification: read16(frame, at + 4),
    fragmentOffset: (flags & FRAGMENT_OFFSET) * 8,
    moreFragments: (flags & MORE_FRAGMENTS) !== 0,
    packet,
    payload: packet.subarray(headerBytes),
  };
}

/** What of a packet is worth keeping for an ICMP answer later: its headers, and where its payload begins. */
export function quoteOf(packet: Ipv4Packet): Ipv4Packet {
  const quote = packet.packet.slice(0, QUOTE_BYTES);
  return { ...packet, packet: quote, payload: quote.subarray(headerBytesOf(packet)) };
}

/** Length of the packet's own header, with its options. */
export function headerBytesOf({ packet, payload }: Ipv4Packet): number {
  return packet.length - payload.length;
}

export interface Ipv4Header {
  protocol: number;
  source: Ipv4;
  destination: Ipv4;
}

/** Sends packets whose payload has been put into `wire.frame` from `PAYLOAD_AT` on. */
export class Ipv4Output {
  readonly wire: Wire;
  readonly #mtuBytes: number;
  #identification = 0;

  constructor(wire: Wire, mtuBytes: number) {
    this.wire = wire;
    this.#mtuBytes = mtuBytes;
  }

  /** An answer; waits when the guest has no room, and goes in fragments when it is larger than the MTU. */
  answer(header: Ipv4Header, payloadBytes: number, mac?: Mac): void {
    if (IPV4_HEADER_BYTES + payloadBytes > this.#mtuBytes) {
      this.#answerInFragments(header, payloadBytes);
      return;
    }
    this.#writeHeader(header, payloadBytes, DONT_FRAGMENT);
    this.wire.answer(PAYLOAD_AT + payloadBytes, ETHERTYPE_IPV4, mac);
  }

  /** Bulk data: the caller has asked `wire.room()`, and knows the MTU. */
  transmit(header: Ipv4Header, payloadBytes: number, info?: FrameInfo): void {
    this.#writeHeader(header, payloadBytes, DONT_FRAGMENT);
    this.wire.transmit(PAYLOAD_AT + payloadBytes, ETHERTYPE_IPV4, info);
  }

  #answerInFragments(header: Ipv4Header, payloadBytes: number): void {
    if (payloadBytes > MAX_PACKET_BYTES - IPV4_HEADER_BYTES) return;
    const frame = this.wire.frame;
    const payload = frame.slice(PAYLOAD_AT, PAYLOAD_AT + payloadBytes);
    const pieceBytes = (this.#mtuBytes - IPV4_HEADER_BYTES) & ~7;
    this.#identification = (this.#identification + 1) & 0xffff;
    for (let offset = 0; offset < payloadBytes; offset += pieceBytes) {
      const piece = payload.subarray(offset, offset + pieceBytes);
      frame.set(piece, PAYLOAD_AT);
      const isLast = offset + piece.length === payloadBytes;
      this.#writeHeader(header, piece.length, (isLast ? 0 : MORE_FRAGMENTS) | (offset >>> 3));
      this.wire.answer(PAYLOAD_AT + piece.length, ETHERTYPE_IPV4);
    }
  }

  #writeHeader(header: Ipv4Header, payloadBytes: number, fragment: number): void {
    const frame = this.wire.frame;
    const at = ETHERNET_HEADER_BYTES;
    write16(frame, at, 0x4500);
    write16(frame, at + 2, IPV4_HEADER_BYTES + payloadBytes);
    // RFC 6864: of no meaning where a packet is whole and may not be cut.
    write16(frame, at + 4, fragment === DONT_FRAGMENT ? 0 : this.#identification);
    write16(frame, at + 6, fragment);
    write16(frame, at + 8, (TIME_TO_LIVE << 8) | header.protocol);
    write16(frame, at + 10, 0);
    write32(frame, at + 12, header.source);
    write32(frame, at + 16, header.destination);
    write16(frame, at + 10, checksumOf(sumOf(frame, at, PAYLOAD_AT)));
  }
}
