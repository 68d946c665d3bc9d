import type { Access } from "./access.ts";
import type { Counters } from "./counters.ts";
import { FlowTable } from "./flow-table.ts";
import type { Host, HostDatagrams } from "./host.ts";
import { type Icmp, UNREACHABLE } from "./icmp.ts";
import { type Ipv4Output, type Ipv4Packet, quoteOf } from "./ipv4.ts";
import type { Limits, TokenBucket } from "./limits.ts";
import type { Timer, Timers } from "./timers.ts";
import type { Traffic } from "./traffic.ts";
import { type Datagram, type Endpoint, sendDatagram } from "./udp.ts";

/** A flow that has had no answer is soon forgotten, so that a scan does not fill the table. */
const UNANSWERED_MS = 30_000;

export interface UdpFlowsOptions {
  host: Host;
  access: Access;
  icmp: Icmp;
  output: Ipv4Output;
  timers: Timers;
  counters: Counters;
  limits: Limits;
  newFlows: TokenBucket;
  traffic: Traffic;
}

interface UdpFlow {
  socket: HostDatagrams;
  expiry: Timer;
  isAnswered: boolean;
}

/**
 * UDP of the guest's (RFC 4787): a host socket for each pair of ends, which hears that peer and no other. Names and
 * ports behind it stay as the guest chose them.
 */
export class UdpFlows {
  readonly #options: UdpFlowsOptions;
  readonly #flows = new FlowTable<UdpFlow>();

  constructor(options: UdpFlowsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  receive(packet: Ipv4Packet, datagram: Datagram): void {
    const guest = { address: packet.source, port: datagram.sourcePort };
    const remote = { address: packet.destination, port: datagram.destinationPort };
    const known = this.#flows.get(guest.port, remote.address, remote.port);
    const flow = known ?? this.#open(packet, guest, remote);
    if (flow === undefined) return;
    const { traffic } = this.#options;
    if (traffic.up.waitMs() > 0 || traffic.isSpent) {
      this.#options.counters.add("dropped: UDP over the limit");
      return;
    }
    traffic.onUp(datagram.payload.length);
    this.#keep(flow);
    flow.socket.send(datagram.payload);
  }

  closeAll(): void {
    for (const flow of this.#flows.all()) {
      flow.expiry.stop();
      flow.socket.close();
    }
    this.#flows.clear();
  }

  #open(packet: Ipv4Packet, guest: Endpoint, remote: Endpoint): UdpFlow | undefined {
    const { access, icmp, limits, newFlows, counters, traffic, timers, host } = this.#options;
    const destination = { protocol: "udp", ...remote } as const;
    const decision = access.decide(destination);
    if (decision.verdict !== "allow") {
      access.refuse(destination, decision.reason);
      icmp.unreachable(packet, UNREACHABLE.prohibited);
      return undefined;
    }
    if (this.#flows.size >= limits.udpFlows || newFlows.waitMs() > 0 || traffic.isSpent) {
      counters.add("refused: too many UDP flows");
      return undefined;
    }
    newFlows.take(1);
    const quote = quoteOf(packet);
    const close = () => {
      flow.expiry.stop();
      flow.socket.close();
      this.#flows.delete(guest.port, remote.address, remote.port);
    };
    const flow: UdpFlow = {
      expiry: timers.create(close),
      isAnswered: false,
      socket: host.openUdp(access.targetOf(destination), {
        onMessage: (bytes) => {
          flow.isAnswered = true;
          this.#keep(flow);
          this.#answer(remote, guest, bytes);
        },
        onError: (code) => {
          close();
          if (code === "ECONNREFUSED") icmp.unreachable(quote, UNREACHABLE.port);
          else if (code === "ENETUNREACH") icmp.unreachable(quote, UNREACHABLE.network);
          else if (code === "EHOSTUNREACH") icmp.unreachable(quote, UNREACHABLE.host);
        },
      }),
    };
    this.#flows.set(guest.port, remote.address, remote.port, flow);
    return flow;
  }

  #answer(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    const { traffic, counters, output } = this.#options;
    if (traffic.down.waitMs() > 0 || traffic.isSpent) {
      counters.add("dropped: UDP over the limit");
      return;
    }
    traffic.onDown(bytes.length);
    sendDatagram(output, from, to, bytes);
  }

  #keep(flow: UdpFlow): void {
    flow.expiry.set(flow.isAnswered ? this.#options.limits.udpIdleMs : UNANSWERED_MS);
  }
}
