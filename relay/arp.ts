import type { Ipv4, Mac } from "./address.ts";
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_ARP,
  read16,
  read32,
  write16,
  write32,
} from "./ethernet.ts";
import type { Wire } from "./wire.ts";

/** ARP for IPv4 over Ethernet (RFC 826). */

const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const REQUEST = 1;
const REPLY = 2;

export interface ArpOptions {
  wire: Wire;
  mac: Mac;
  /** The relay's addresses on the wire. */
  isOurs(address: Ipv4): boolean;
}

/** Answers the guest's requests for our addresses. Says why a packet is not answered. */
export function receiveArp(frame: Uint8Array, options: ArpOptions): string | undefined {
  const at = ETHERNET_HEADER_BYTES;
  if (frame.length < at + ARP_BYTES) return "ARP: too short";
  const isEthernet = read16(frame, at) === HARDWARE_ETHERNET && frame[at + 4] === 6;
  if (!isEthernet || read16(frame, at + 2) !== PROTOCOL_IPV4 || frame[at + 5] !== 4)
    return "ARP: not IPv4 over Ethernet";
  if (read16(frame, at + 6) !== REQUEST) return undefined;
  const target = read32(frame, at + 24);
  if (!options.isOurs(target)) return undefined;

  const reply = options.wire.frame;
  write16(reply, at, HARDWARE_ETHERNET);
  write16(reply, at + 2, PROTOCOL_IPV4);
  reply[at + 4] = 6;
  reply[at + 5] = 4;
  write16(reply, at + 6, REPLY);
  reply.set(options.mac, at + 8);
  write32(reply, at + 14, target);
  reply.set(frame.subarray(at + 8, at + 18), at + 18);
  options.wire.answer(at + ARP_BYTES, ETHERTYPE_ARP, frame.slice(6, 12));
  return undefined;
}
