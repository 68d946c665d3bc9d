/**
 * Frames built and taken apart by hand, with nothing of the relay's: an independent reading of the same RFCs.
 */

export const GATEWAY_MAC = "024d6f6d0001";
export const GUEST_MAC = "001122334455";
export const GUEST = "10.0.2.15";
export const GATEWAY = "10.0.2.2";
export const DNS = "10.0.2.3";

export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export function hex(...parts: (string | number[] | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === "string" ? Buffer.from(part.replaceAll(" ", ""), "hex") : Buffer.from(part),
    ),
  );
}

export function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

export function u32(value: number): number[] {
  return [...u16(Math.floor(value / 65_536)), ...u16(value % 65_536)];
}

export function ip(text: string): number[] {
  return text.split(".").map(Number);
}

/** RFC 1071, as it is written there: one 16-bit word after another. */
export function slowChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

export function ethernet(
  type: number,
  payload: Uint8Array,
  to = GATEWAY_MAC,
  from = GUEST_MAC,
): Buffer {
  return hex(to, from, u16(type), payload);
}

export interface IpFields {
  source?: string;
  destination: string;
  protocol: number;
  ttl?: number;
  id?: number;
  /** Flags and offset. */
  fragment?: number;
  options?: number[];
}

export function ipv4(fields: IpFields, payload: Uint8Array): Buffer {
  const options = fields.options ?? [];
  const header = hex(
    [0x45 + options.length / 4, 0],
    u16(20 + options.length + payload.length),
    u16(fields.id ?? 7),
    u16(fields.fragment ?? 0x4000),
    [fields.ttl ?? 64, fields.protocol, 0, 0],
    ip(fields.source ?? GUEST),
    ip(fields.destination),
    options,
  );
  header.writeUInt16BE(slowChecksum(header), 10);
  return hex(header, payload);
}

function pseudo(source: string, destination: string, protocol: number, length: number): Buffer {
  return hex(ip(source), ip(destination), [0, protocol], u16(length));
}

export function udpFrame(
  to: { address: string; port: number },
  fromPort: number,
  payload: Uint8Array,
  source = GUEST,
): Buffer {
  const datagram = hex(u16(fromPort), u16(to.port), u16(8 + payload.length), [0, 0], payload);
  const sum = slowChecksum(hex(pseudo(source, to.address, 17, datagram.length), datagram));
  datagram.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return ethernet(0x0800, ipv4({ source, destination: to.address, protocol: 17 }, datagram));
}

export interface TcpFields {
  sourcePort: number;
  destinationPort: number;
  destination: string;
  source?: string;
  sequence: number;
  acknowledgment?: number;
  flags: number;
  window?: number;
  options?: number[];
  payload?: Uint8Array;
}

export function tcpFrame(fields: TcpFields): Buffer {
  const options = fields.options ?? [];
  const source = fields.source ?? GUEST;
  const segment = hex(
    u16(fields.sourcePort),
    u16(fields.destinationPort),
    u32(fields.sequence >>> 0),
    u32((fields.acknowledgment ?? 0) >>> 0),
    [(5 + options.length / 4) << 4, fields.flags],
    u16(fields.window ?? 65_535),
    [0, 0, 0, 0],
    options,
    fields.payload ?? [],
  );
  const sum = slowChecksum(hex(pseudo(source, fields.destination, 6, segment.length), segment));
  segment.writeUInt16BE(sum, 16);
  return ethernet(0x0800, ipv4({ source, destination: fields.destination, protocol: 6 }, segment));
}

export function icmpFrame(
  destination: string,
  type: number,
  code: number,
  rest: Uint8Array,
): Buffer {
  const message = hex([type, code, 0, 0], rest);
  message.writeUInt16BE(slowChecksum(message), 2);
  return ethernet(0x0800, ipv4({ destination, protocol: 1 }, message));
}

export interface SeenIp {
  source: string;
  destination: string;
  protocol: number;
  ttl: number;
  fragment: number;
  payload: Buffer;
}

/** Takes a frame of the relay's apart, and throws unless every length and checksum in it is right. */
export function readIp(frame: Uint8Array): SeenIp {
  const bytes = Buffer.from(frame);
  if (bytes.readUInt16BE(12) !== 0x0800) throw new Error("not IPv4");
  const packet = bytes.subarray(14);
  const headerBytes = ((packet[0] ?? 0) & 15) * 4;
  if (slowChecksum(packet.subarray(0, headerBytes)) !== 0) throw new Error("wrong IPv4 checksum");
  if (packet.readUInt16BE(2) !== packet.length) throw new Error("wrong IPv4 length");
  return {
    source: [...packet.subarray(12, 16)].join("."),
    destination: [...packet.subarray(16, 20)].join("."),
    protocol: packet[9] ?? 0,
    ttl: packet[8] ?? 0,
    fragment: packet.readUInt16BE(6),
    payload: packet.subarray(headerBytes),
  };
}

export interface SeenTcp {
  source: string;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  flags: number;
  window: number;
  mss?: number | undefined;
  windowScale?: number | undefined;
  payload: Buffer;
}

export function readTcp(frame: Uint8Array): SeenTcp {
  const { source, destination, protocol, payload } = readIp(frame);
  if (protocol !== 6) throw new Error(`protocol ${protocol} instead of TCP`);
  if (slowChecksum(hex(pseudo(source, destination, 6, payload.length), payload)) !== 0)
    throw new Error("wrong TCP checksum");
  const headerBytes = ((payload[12] ?? 0) >> 4) * 4;
  const seen: SeenTcp = {
    source,
    sourcePort: payload.readUInt16BE(0),
    destinationPort: payload.readUInt16BE(2),
    sequence: payload.readUInt32BE(4),
    acknowledgment: payload.readUInt32BE(8),
    flags: payload[13] ?? 0,
    window: payload.readUInt16BE(14),
    payload: payload.subarray(headerBytes),
  };
  for (let at = 20; at < headerBytes; ) {
    const kind = payload[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    if (kind === 2) seen.mss = payload.readUInt16BE(at + 2);
    if (kind === 3) seen.windowScale = payload[at + 2];
    at += payload[at + 1] ?? 1;
  }
  return seen;
}

export function readUdp(frame: Uint8Array) {
  const { source, destination, protocol, payload } = readIp(frame);
  if (protocol !== 17) throw new Error(`protocol ${protocol} instead of UDP`);
  if (payload.readUInt16BE(4) !== payload.length) throw new Error("wrong UDP length");
  if (slowChecksum(hex(pseudo(source, destination, 17, payload.length), payload)) !== 0)
    throw new Error("wrong UDP checksum");
  return {
    source,
    destination,
    sourcePort: payload.readUInt16BE(0),
    destinationPort: payload.readUInt16BE(2),
    payload: payload.subarray(8),
  };
}

export function readIcmp(frame: Uint8Array) {
  const { source, protocol, payload } = readIp(frame);
  if (protocol !== 1) throw new Error(`protocol ${protocol} instead of ICMP`);
  if (slowChecksum(payload) !== 0) throw new Error("wrong ICMP checksum");
  return { source, type: payload[0], code: payload[1], rest: payload.subarray(4) };
}

export function isTcp(frame: Uint8Array): boolean {
  return frame[12] === 8 && frame[13] === 0 && frame[23] === 6;
}
