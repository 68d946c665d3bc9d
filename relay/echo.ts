import type { Access } from "./access.ts";
import { formatIpv4, type Ipv4 } from "./address.ts";
import type { Counters } from "./counters.ts";
import type { Host } from "./host.ts";
import { type Icmp, UNREACHABLE } from "./icmp.ts";
import { type Ipv4Packet, quoteOf } from "./ipv4.ts";

/** Pings on their way at once; each may be a process of the host's. */
const MAX_PENDING = 8;
const PING_TIMEOUT_MS = 4000;

export interface EchoOptions {
  host: Host;
  access: Access;
  icmp: Icmp;
  counters: Counters;
  isOurs(address: Ipv4): boolean;
}

/** `ping` from the guest: to the relay itself, and to the outside as far as the host can. */
export class Echo {
  readonly #options: EchoOptions;
  #pending = 0;
  /** Answers to an earlier guest are not for this one. */
  #life = 0;

  constructor(options: EchoOptions) {
    this.#options = options;
  }

  forget(): void {
    this.#life++;
  }

  receive(packet: Ipv4Packet, request: Uint8Array): void {
    const { host, access, icmp, counters, isOurs } = this.#options;
    const { source, destination } = packet;
    if (isOurs(destination)) {
      icmp.answerEcho(request, destination, source);
      return;
    }
    const target = { protocol: "icmp", address: destination, port: 0 } as const;
    const decision = access.decide(target);
    if (decision.verdict !== "allow" || host.ping === undefined) {
      const isAllowed = decision.verdict === "allow";
      access.refuse(target, isAllowed ? "the host cannot ping" : decision.reason);
      icmp.unreachable(packet, UNREACHABLE.prohibited);
      return;
    }
    if (this.#pending >= MAX_PENDING) {
      counters.add("dropped: too many pings");
      return;
    }
    this.#pending++;
    const life = this.#life;
    const kept = { request: request.slice(), quote: quoteOf(packet) };
    void host.ping(formatIpv4(destination), PING_TIMEOUT_MS).then(
      (isAnswered) => {
        this.#pending--;
        if (isAnswered && life === this.#life) icmp.answerEcho(kept.request, destination, source);
      },
      () => {
        this.#pending--;
        if (life === this.#life) icmp.unreachable(kept.quote, UNREACHABLE.prohibited);
      },
    );
  }
}
