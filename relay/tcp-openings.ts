import { type Icmp, UNREACHABLE, type UnreachableCode } from "./icmp.ts";
import { type Ipv4Packet, quoteOf } from "./ipv4.ts";
import type { TcpFlow } from "./tcp-services.ts";

/** What the guest hears when the host could not connect. `silence`: its own time-out will tell. */
export type ConnectFailure = "reset" | "silence";

/** Connections whose host side is being connected, each with the packet that asked for it. */
export class TcpOpenings {
  readonly #icmp: Icmp;
  readonly #packets = new Map<TcpFlow, Ipv4Packet>();

  constructor(icmp: Icmp) {
    this.#icmp = icmp;
  }

  get size(): number {
    return this.#packets.size;
  }

  add(flow: TcpFlow, packet: Ipv4Packet): void {
    this.#packets.set(flow, quoteOf(packet));
  }

  delete(flow: TcpFlow): void {
    this.#packets.delete(flow);
  }

  /** Answers as a router would where the system's error says why (RFC 1122, 4.2.3.9); the rest is for the caller. */
  fail(flow: TcpFlow, code: string): ConnectFailure {
    const packet = this.#packets.get(flow);
    this.#packets.delete(flow);
    const unreachable = UNREACHABLE_BY_ERROR.get(code);
    if (packet !== undefined && unreachable !== undefined) {
      this.#icmp.unreachable(packet, unreachable);
      return "silence";
    }
    return SILENT_ERRORS.has(code) ? "silence" : "reset";
  }
}

const UNREACHABLE_BY_ERROR = new Map<string, UnreachableCode>([
  ["ENETUNREACH", UNREACHABLE.network],
  ["ENETDOWN", UNREACHABLE.network],
  ["EHOSTUNREACH", UNREACHABLE.host],
  ["EHOSTDOWN", UNREACHABLE.host],
  ["EACCES", UNREACHABLE.prohibited],
  ["EPERM", UNREACHABLE.prohibited],
]);

/** Time-outs are time-outs; and what the host lacks for the moment it may have at the guest's next try. */
const SILENT_ERRORS = new Set(["ETIMEDOUT", "EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL"]);
