import type { Ipv4 } from "./address.ts";
import { checksumOf, isSound, sumOf } from "./checksum.ts";
import { write16, write32 } from "./ethernet.ts";
import { type Ipv4Output, type Ipv4Packet, PAYLOAD_AT, PROTOCOL_ICMP } from "./ipv4.ts";

/** ICMP (RFC 792): echo, and the messages that say why a packet went nowhere. */

export const ICMP_HEADER_BYTES = 8;
const ECHO_REPLY = 0;
const DESTINATION_UNREACHABLE = 3;
const ECHO_REQUEST = 8;
const TIME_EXCEEDED = 11;

/** Codes of "destination unreachable" (RFC 792; RFC 1812, 5.2.7.1). */
export const UNREACHABLE = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  prohibited: 13,
} as const;

export type UnreachableCode = (typeof UNREACHABLE)[keyof typeof UNREACHABLE];

/** RFC 1812, 4.3.2.3: as much of the packet as fits into 576 bytes. */
const MAX_QUOTE_BYTES = 576 - 20 - ICMP_HEADER_BYTES;

/** An echo request, or why the message is of no interest. */
export function parseEchoRequest(payload: Uint8Array): Uint8Array | string {
  if (payload.length < ICMP_HEADER_BYTES) return "ICMP: too short";
  if (!isSound(sumOf(payload, 0, payload.length))) return "ICMP: wrong checksum";
  return payload[0] === ECHO_REQUEST && payload[1] === 0 ? payload : "ICMP: not an echo request";
}

export class Icmp {
  readonly #output: Ipv4Output;
  readonly #gateway: Ipv4;

  constructor(output: Ipv4Output, gateway: Ipv4) {
    this.#output = output;
    this.#gateway = gateway;
  }

  /** The reply that `source` gives: the same identifier, sequence number and data. */
  answerEcho(request: Uint8Array, source: Ipv4, destination: Ipv4): void {
    const { frame } = this.#output.wire;
    frame.set(request, PAYLOAD_AT);
    write16(frame, PAYLOAD_AT, ECHO_REPLY << 8);
    this.#send(request.length, source, destination);
  }

  /** Tells the guest why `packet` was not delivered. */
  unreachable(packet: Ipv4Packet, code: UnreachableCode): void {
    this.#complain(packet, DESTINATION_UNREACHABLE, code);
  }

  /** The packet's time to live ran out here: what `traceroute` looks for. */
  timeExceeded(packet: Ipv4Packet): void {
    this.#complain(packet, TIME_EXCEEDED, 0);
  }

  /** Pieces of the packet did not come in time (RFC 792). */
  reassemblyTimeExceeded(firstFragment: Ipv4Packet): void {
    this.#complain(firstFragment, TIME_EXCEEDED, 1);
  }

  #complain(packet: Ipv4Packet, type: number, code: number): void {
    // RFC 1122, 3.2.2: never about an ICMP error, nor about a fragment that is not the first.
    if (packet.fragmentOffset > 0) return;
    if (packet.protocol === PROTOCOL_ICMP && packet.payload[0] !== ECHO_REQUEST) return;
    const { frame } = this.#output.wire;
    const quote = packet.packet.subarray(0, MAX_QUOTE_BYTES);
    frame.set(quote, PAYLOAD_AT + ICMP_HEADER_BYTES);
    write16(frame, PAYLOAD_AT, (type << 8) | code);
    write32(frame, PAYLOAD_AT + 4, 0);
    this.#send(ICMP_HEADER_BYTES + quote.length, this.#gateway, packet.source);
  }

  #send(length: number, source: Ipv4, destination: Ipv4): void {
    const { frame } = this.#output.wire;
    write16(frame, PAYLOAD_AT + 2, 0);
    write16(frame, PAYLOAD_AT + 2, checksumOf(sumOf(frame, PAYLOAD_AT, PAYLOAD_AT + length)));
    this.#output.answer({ protocol: PROTOCOL_ICMP, source, destination }, length);
  }
}
