import type { Counters } from "./counters.ts";
import type { Icmp } from "./icmp.ts";
import { headerBytesOf, type Ipv4Packet, quoteOf } from "./ipv4.ts";
import type { Timer, Timers } from "./timers.ts";

/** Linux' own; a wire that loses nothing needs no more. RFC 1122, 3.3.2 allows up to two minutes. */
const TIMEOUT_MS = 30_000;
/** Of 64 KB each at most. */
const MAX_DATAGRAMS = 16;
/** The largest datagram in the pieces of an MTU of 576, which every network takes. */
const MAX_FRAGMENTS = 128;
const MAX_PAYLOAD_BYTES = 0xffff - 20;
const FRAGMENT_UNIT_BYTES = 8;

export interface ReassemblyOptions {
  icmp: Icmp;
  timers: Timers;
  counters: Counters;
}

interface Fragment {
  offset: number;
  bytes: Uint8Array;
}

interface Datagram {
  /** In the order of their offsets, without overlaps. */
  fragments: Fragment[];
  heldBytes: number;
  /** Known when the last piece has come. */
  totalBytes: number | undefined;
  /** Of the piece that holds the beginning: its headers, of which the first is the whole's. */
  first: Ipv4Packet | undefined;
  expiry: Timer;
}

/**
 * Puts datagrams of the guest's together that came in pieces (RFC 791, 3.2). Pieces that overlap are an attack or a
 * fault, and end their datagram (RFC 5722 for IPv6, whose reasons hold here too).
 */
export class Reassembly {
  readonly #options: ReassemblyOptions;
  /** Those begun longest ago first. */
  readonly #datagrams = new Map<string, Datagram>();

  constructor(options: ReassemblyOptions) {
    this.#options = options;
  }

  get heldBytes(): number {
    return [...this.#datagrams.values()].reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** The whole datagram when this was the last piece missing; a string says why a piece is of no use. */
  add(packet: Ipv4Packet): Ipv4Packet | string | undefined {
    const { source, destination, protocol, identification } = packet;
    const { fragmentOffset: offset, moreFragments, payload } = packet;
    const end = offset + payload.length;
    if (payload.length === 0) return "IPv4: an empty fragment";
    if (moreFragments && payload.length % FRAGMENT_UNIT_BYTES !== 0)
      return "IPv4: a fragment of odd length";
    if (end > MAX_PAYLOAD_BYTES) return "IPv4: a fragment beyond the largest datagram";
    const key = `${source} ${destination} ${protocol} ${identification}`;
    const datagram = this.#datagrams.get(key) ?? this.#begin(key);
    const place = placeOf(datagram, offset, end);
    if (place === "duplicate") return undefined;
    const known = datagram.totalBytes;
    const isWrong =
      place === "overlap" ||
      (known !== undefined && (end > known || !moreFragments)) ||
      (!moreFragments && (datagram.fragments.at(-1)?.offset ?? 0) >= end) ||
      datagram.fragments.length >= MAX_FRAGMENTS;
    if (isWrong) {
      this.#drop(key, datagram);
      return "IPv4: fragments that do not fit together";
    }
    // A copy: a view would keep the whole frame, however little of it is payload.
    datagram.fragments.splice(place, 0, { offset, bytes: payload.slice() });
    datagram.heldBytes += payload.length;
    if (!moreFragments) datagram.totalBytes = end;
    if (offset === 0) datagram.first = quoteOf(packet);
    if (datagram.heldBytes !== datagram.totalBytes || datagram.first === undefined)
      return undefined;
    this.#drop(key, datagram);
    return wholeOf(datagram.first, datagram.fragments, datagram.totalBytes);
  }

  /** Another guest: pieces of the last one's are not for it. */
  clear(): void {
    for (const [key, datagram] of this.#datagrams) this.#drop(key, datagram);
  }

  #begin(key: string): Datagram {
    const { timers, counters, icmp } = this.#options;
    const expire = () => {
      counters.add("dropped: IPv4: fragments without the rest");
      this.#drop(key, datagram);
      if (datagram.first !== undefined) icmp.reassemblyTimeExceeded(datagram.first);
    };
    const datagram: Datagram = {
      fragments: [],
      heldBytes: 0,
      totalBytes: undefined,
      first: undefined,
      expiry: timers.create(expire),
    };
    datagram.expiry.set(TIMEOUT_MS);
    this.#datagrams.set(key, datagram);
    for (const [oldest, begun] of this.#datagrams) {
      if (this.#datagrams.size <= MAX_DATAGRAMS) break;
      counters.add("dropped: IPv4: too many datagrams in fragments");
      this.#drop(oldest, begun);
    }
    return datagram;
  }

  #drop(key: string, datagram: Datagram): void {
    datagram.expiry.stop();
    this.#datagrams.delete(key);
  }
}

/** Where in the row a piece belongs. */
function placeOf(
  { fragments }: Datagram,
  offset: number,
  end: number,
): number | "duplicate" | "overlap" {
  const at = fragments.findIndex((fragment) => fragment.offset + fragment.bytes.length > offset);
  const next = fragments[at];
  if (next === undefined) return fragments.length;
  if (next.offset >= end) return at;
  const isSame = next.offset === offset && next.offset + next.bytes.length === end;
  return isSame ? "duplicate" : "overlap";
}

function wholeOf(first: Ipv4Packet, fragments: Fragment[], totalBytes: number): Ipv4Packet {
  const headerBytes = headerBytesOf(first);
  const packet = new Uint8Array(headerBytes + totalBytes);
  packet.set(first.packet.subarray(0, headerBytes));
  for (const { offset, bytes } of fragments) packet.set(bytes, headerBytes + offset);
  const payload = packet.subarray(headerBytes);
  return { ...first, packet, payload, fragmentOffset: 0, moreFragments: false };
}
