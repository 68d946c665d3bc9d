import { parseIpv4 } from "./address.ts";
import { read16, write16, write32 } from "./ethernet.ts";
import type { DnsData, DnsRecord, DnsType } from "./host.ts";

/** DNS messages (RFC 1035, 4): one question in, records out. */

const HEADER_BYTES = 12;
const CLASS_IN = 1;
const TYPE_OPT = 41;
const MAX_NAME_BYTES = 255;
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
/** RFC 1035, 2.3.4. */
const PLAIN_UDP_BYTES = 512;
/** What we take and give at most over UDP (RFC 6891, 6.2.5). */
const MAX_UDP_BYTES = 4096;

/** By number, the types that are looked up. */
export const TYPES: ReadonlyMap<number, DnsType> = new Map<number, DnsType>([
  [1, "A"],
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [12, "PTR"],
  [15, "MX"],
  [16, "TXT"],
  [33, "SRV"],
  [35, "NAPTR"],
  [257, "CAA"],
]);
const NUMBERS = new Map([...TYPES].map(([number, type]) => [type, number]));
export const TYPE_ANY = 255;

/** Response codes (RFC 1035, 4.1.1). */
export const RCODE = {
  ok: 0,
  format: 1,
  failed: 2,
  noSuchName: 3,
  unknown: 4,
  refused: 5,
} as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

export interface Question {
  id: number;
  recursionDesired: boolean;
  /** Lower case, without the last dot. */
  name: string;
  typeNumber: number;
  /** What the asker's UDP takes. */
  udpBytes: number;
  hasEdns: boolean;
  /** The question section as it came: its letters' case is part of the answer. */
  bytes: Uint8Array;
}

/** Reads a query. A code tells what to answer to one that is not understood; `undefined` is for what gets no answer. */
export function parseQuery(
  message: Uint8Array,
): Question | { id: number; rcode: Rcode } | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const id = read16(message, 0);
  const flags = read16(message, 2);
  if ((flags & 0x8000) !== 0) return undefined;
  if ((flags & 0x7800) !== 0) return { id, rcode: RCODE.unknown };
  if (read16(message, 4) !== 1 || read16(message, 6) + read16(message, 8) !== 0)
    return { id, rcode: RCODE.format };
  const named = readName(message, HEADER_BYTES);
  if (named === undefined || named.end + 4 > message.length) return { id, rcode: RCODE.format };
  const end = named.end + 4;
  if (read16(message, named.end + 2) !== CLASS_IN) return { id, rcode: RCODE.refused };
  const edns = read16(message, 10) > 0 ? readEdns(message, end) : undefined;
  return {
    id,
    recursionDesired: (flags & 0x0100) !== 0,
    name: named.name,
    typeNumber: read16(message, named.end),
    udpBytes: Math.min(MAX_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, edns ?? 0)),
    hasEdns: edns !== undefined,
    bytes: message.slice(HEADER_BYTES, end),
  };
}

/** An answer, cut to its question with the "truncated" bit when it would be longer than `maxBytes` (RFC 2181, 9). */
export function writeAnswer(
  question: Question,
  rcode: Rcode,
  records: readonly DnsRecord[],
  maxBytes: number,
): Uint8Array {
  const parts = records.map(writeRecord);
  const opt = question.hasEdns ? writeOpt() : new Uint8Array();
  const fixed = HEADER_BYTES + question.bytes.length + opt.length;
  const total = parts.reduce((sum, part) => sum + part.length, fixed);
  const isTruncated = total > maxBytes;
  const header = new Uint8Array(HEADER_BYTES);
  write16(header, 0, question.id);
  // Response, recursion available.
  const flags = 0x8080 | (isTruncated ? 0x0200 : 0) | (question.recursionDesired ? 0x0100 : 0);
  write16(header, 2, flags | rcode);
  write16(header, 4, 1);
  write16(header, 6, isTruncated ? 0 : parts.length);
  write16(header, 10, question.hasEdns ? 1 : 0);
  return concat([header, question.bytes, ...(isTruncated ? [] : parts), opt]);
}

/** An answer to what could not be read as a question. */
export function writeError(id: number, rcode: Rcode): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES);
  write16(message, 0, id);
  write16(message, 2, 0x8080 | rcode);
  return message;
}

/** Only names of letters, digits, `-` and `_`: no other can be a host's or a service's. */
function readName(message: Uint8Array, start: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > message.length || at + length - start > MAX_NAME_BYTES) return undefined;
    const label = String.fromCharCode(...message.subarray(at, at + length)).toLowerCase();
    if (!/^[a-z0-9_-]+$/.test(label)) return undefined;
    labels.push(label);
    at += length;
  }
  return { name: labels.join("."), end: at };
}

/** The UDP size in the OPT record, where it is the first of the additional ones (RFC 6891, 6.1.2). */
function readEdns(message: Uint8Array, at: number): number | undefined {
  const isOpt = message[at] === 0 && read16(message, at + 1) === TYPE_OPT;
  return isOpt && at + 11 <= message.length ? read16(message, at + 3) : undefined;
}

function writeOpt(): Uint8Array {
  const opt = new Uint8Array(11);
  write16(opt, 1, TYPE_OPT);
  write16(opt, 3, MAX_UDP_BYTES);
  return opt;
}

function writeRecord({ ttlSeconds, data }: DnsRecord): Uint8Array {
  const content = writeData(data);
  const head = new Uint8Array(12);
  write16(head, 0, POINTER_TO_QUESTION);
  write16(head, 2, NUMBERS.get(data.type) ?? 0);
  write16(head, 4, CLASS_IN);
  write32(head, 6, ttlSeconds);
  write16(head, 10, content.length);
  return concat([head, content]);
}

function writeData(data: DnsData): Uint8Array {
  switch (data.type) {
    case "A":
      return u32(parseIpv4(data.address) ?? 0);
    case "NS":
    case "CNAME":
    case "PTR":
      return writeName(data.name);
    case "SOA": {
      const { serial, refresh, retry, expire, minimum } = data;
      const numbers = [serial, refresh, retry, expire, minimum].map(u32);
      return concat([writeName(data.primary), writeName(data.mailbox), ...numbers]);
    }
    case "MX":
      return concat([u16(data.preference), writeName(data.exchange)]);
    case "TXT":
      return concat(data.strings.map(writeString));
    case "SRV":
      return concat([u16(data.priority), u16(data.weight), u16(data.port), writeName(data.target)]);
    case "NAPTR":
      return concat([
        u16(data.order),
        u16(data.preference),
        ...[data.flags, data.service, data.regexp].map(writeString),
        writeName(data.replacement),
      ]);
    case "CAA":
      // RFC 8659, 4.1
      return concat([Uint8Array.of(data.critical), writeString(data.tag), utf8(data.value)]);
  }
}

/** Uncompressed; what does not fit into a label is cut. */
function writeName(name: string): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  return concat([
    ...labels.map((label) => prefixed(utf8(label).subarray(0, 63))),
    Uint8Array.of(0),
  ]);
}

function writeString(text: string): Uint8Array {
  return prefixed(utf8(text).subarray(0, 255));
}

function prefixed(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(bytes.length), bytes]);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function u16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  write16(bytes, 0, value);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  write32(bytes, 0, value);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
