import type { Ipv4, Mac } from "./address.ts";
import { checksumOf, isSound, pseudoHeaderSum, sumOf } from "./checksum.ts";
import { read16, write16 } from "./ethernet.ts";
import { type Ipv4Output, type Ipv4Packet, PAYLOAD_AT, PROTOCOL_UDP } from "./ipv4.ts";

/** UDP datagrams (RFC 768). */

const UDP_HEADER_BYTES = 8;
/** What fits into an IPv4 packet. */
export const MAX_UDP_PAYLOAD_BYTES = 0xffff - 20 - UDP_HEADER_BYTES;

export interface Datagram {
  sourcePort: number;
  destinationPort: number;
  /** A view into the packet. */
  payload: Uint8Array;
}

export interface Endpoint {
  address: Ipv4;
  port: number;
}

/** Reads a datagram, or says what is wrong with it. */
export function parseDatagram(packet: Ipv4Packet, verifiesChecksum: boolean): Datagram | string {
  const { payload } = packet;
  if (payload.length < UDP_HEADER_BYTES) return "UDP: too short";
  const length = read16(payload, 4);
  if (length < UDP_HEADER_BYTES || length > payload.length) return "UDP: bad length";
  // A checksum of zero: the sender made none.
  if (verifiesChecksum && read16(payload, 6) !== 0) {
    const pseudo = pseudoHeaderSum(packet.source, packet.destination, PROTOCOL_UDP, length);
    if (!isSound(pseudo + sumOf(payload, 0, length))) return "UDP: wrong checksum";
  }
  const destinationPort = read16(payload, 2);
  if (destinationPort === 0) return "UDP: to port 0";
  return {
    sourcePort: read16(payload, 0),
    destinationPort,
    payload: payload.subarray(UDP_HEADER_BYTES, length),
  };
}

/** Sends a datagram to the guest; one that is too long for a packet is dropped, as a router would. */
export function sendDatagram(
  output: Ipv4Output,
  from: Endpoint,
  to: Endpoint,
  payload: Uint8Array,
  mac?: Mac,
): void {
  if (payload.length > MAX_UDP_PAYLOAD_BYTES) return;
  const { frame } = output.wire;
  const length = UDP_HEADER_BYTES + payload.length;
  write16(frame, PAYLOAD_AT, from.port);
  write16(frame, PAYLOAD_AT + 2, to.port);
  write16(frame, PAYLOAD_AT + 4, length);
  write16(frame, PAYLOAD_AT + 6, 0);
  frame.set(payload, PAYLOAD_AT + UDP_HEADER_BYTES);
  const pseudo = pseudoHeaderSum(from.address, to.address, PROTOCOL_UDP, length);
  const sum = checksumOf(pseudo + sumOf(frame, PAYLOAD_AT, PAYLOAD_AT + length));
  // Zero would mean "no checksum".
  write16(frame, PAYLOAD_AT + 6, sum === 0 ? 0xffff : sum);
  const header = { protocol: PROTOCOL_UDP, source: from.address, destination: to.address };
  output.answer(header, length, mac);
}
