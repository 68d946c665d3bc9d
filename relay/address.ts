/** An IPv4 address as an unsigned 32-bit number, most significant byte first (RFC 791). */
export type Ipv4 = number;

/** A 48-bit Ethernet address as six bytes. */
export type Mac = Uint8Array;

export interface Subnet {
  base: Ipv4;
  /** Length of the prefix, 0 to 32. */
  bits: number;
}

/**
 * Four decimal numbers and nothing else. Leading zeros, octal, hexadecimal and short forms, which libraries read
 * in different ways (RFC 6943, 3.1.1), are no addresses here.
 */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    address = address * 256 + byte;
  }
  return address;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `10.0.0.0/8`, or one address. Bits below the prefix must be zero, so that a typing error shows. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = "", prefix = "32", ...rest] = text.split("/");
  const base = parseIpv4(address);
  if (base === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(prefix)) return undefined;
  const bits = Number(prefix);
  if (bits > 32 || (base & maskOf(bits)) >>> 0 !== base) return undefined;
  return { base, bits };
}

export function maskOf(bits: number): Ipv4 {
  // A shift by 32 is a shift by 0 in JavaScript.
  return bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
}

export function contains(subnet: Subnet, address: Ipv4): boolean {
  return (address & maskOf(subnet.bits)) >>> 0 === subnet.base;
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.bits}`;
}

/**
 * The address that C libraries and browsers take a host to mean when it is a number in disguise: `127.1`,
 * `0x7f000001`, `0177.0.0.1`, `2130706433` (inet_aton), `::ffff:127.0.0.1` (RFC 4291, 2.5.5.2).
 */
export function parseDisguisedIpv4(text: string): Ipv4 | undefined {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  const mapped =
    /^(?:0*:)+ffff:(?:0:)?(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(host);
  if (mapped) {
    const [, dotted, high = "0", low = "0"] = mapped;
    if (dotted !== undefined) return parseIpv4(dotted);
    return Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
  }
  const parts = host.replace(/\.$/, "").split(".");
  if (parts.length > 4 || !parts.every((part) => /^(0x[0-9a-f]*|\d+)$/i.test(part)))
    return undefined;
  const numbers = parts.map(parseNumber);
  const last = numbers.pop() ?? Number.NaN;
  if (numbers.some((number) => !(number <= 255)) || !(last < 256 ** (4 - numbers.length)))
    return undefined;
  return numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last);
}

function parseNumber(text: string): number {
  if (/^0x/i.test(text)) return text.length === 2 ? 0 : Number.parseInt(text, 16);
  if (!/^0\d/.test(text)) return Number(text);
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** `02:4d:6f:6d:00:01` */
export function parseMac(text: string): Mac | undefined {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

export function formatMac(mac: Mac): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
