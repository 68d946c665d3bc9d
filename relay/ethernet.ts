import type { Mac } from "./address.ts";

/** Ethernet II frames (RFC 894), without the frame check sequence, which virtual cards leave out. */

export const ETHERNET_HEADER_BYTES = 14;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;

export function ethertypeOf(frame: Uint8Array): number {
  return read16(frame, 12);
}

/** Sent to `mac`, or to everyone. */
export function isFor(frame: Uint8Array, mac: Mac): boolean {
  return macEquals(frame, 0, mac) || isBroadcast(frame, 0);
}

/** One station's address, neither a group's (RFC 5342, 2.1) nor zero. */
export function isStation(frame: Uint8Array, at: number): boolean {
  if (((frame[at] ?? 1) & 1) !== 0) return false;
  for (let index = 0; index < 6; index++) if (frame[at + index] !== 0) return true;
  return false;
}

export function macEquals(frame: Uint8Array, at: number, mac: Mac): boolean {
  for (let index = 0; index < 6; index++) if (frame[at + index] !== mac[index]) return false;
  return true;
}

function isBroadcast(frame: Uint8Array, at: number): boolean {
  for (let index = 0; index < 6; index++) if (frame[at + index] !== 0xff) return false;
  return true;
}

export function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function read32(bytes: Uint8Array, at: number): number {
  return read16(bytes, at) * 0x10000 + read16(bytes, at + 2);
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
