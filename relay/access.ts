import { contains, formatIpv4, type Ipv4, parseIpv4, type Subnet } from "./address.ts";
import type { AnsweredNames } from "./answered-names.ts";
import type { Counters } from "./counters.ts";
import type { Host, HostTarget } from "./host.ts";
import type { Decision, Destination, Policy } from "./policy.ts";
import { sniff } from "./sniff.ts";
import type { Gate } from "./tcp-host-side.ts";

/** Something the guest wanted and did not get. */
export interface Refusal {
  protocol: string;
  /** Where it wanted to go: an address with port, or a name. */
  target: string;
  reason: string;
}

export interface AccessOptions {
  host: Host;
  policy: Policy;
  names: AnsweredNames;
  counters: Counters;
  /** Where the guest itself lives, whatever the rules say. */
  network: Subnet;
  gateway: Ipv4;
  onRefused: (refusal: Refusal) => void;
}

/** How long the list of the computer's own addresses is believed. */
const OWN_ADDRESSES_MS = 5000;
/** The reason for what happens at the gateway's address. */
export const HOST_PORT = "host port";
const LOOPBACK = "127.0.0.1";

/** Asks the policy about what the guest does, and keeps the books. */
export class Access {
  readonly #options: AccessOptions;
  #own = new Set<string>();
  #ownUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  decide(destination: Destination): Decision {
    return this.decideAs(destination, this.#options.names.of(destination.address));
  }

  /** As if our DNS had given the address for these names. */
  decideAs(destination: Destination, names: readonly string[]): Decision {
    const { policy, gateway, network } = this.#options;
    const { address, port, protocol } = destination;
    if (address === gateway) {
      const isOpen = protocol !== "icmp" && policy.hostPorts.has(port);
      return { verdict: isOpen ? "allow" : "deny", reason: HOST_PORT };
    }
    if (contains(network, address)) return { verdict: "deny", reason: "the guest's own network" };
    return policy.decide(destination, names, this.isOwn(address));
  }

  /** Where the host has to connect to. */
  targetOf({ address, port }: Destination): HostTarget {
    return { address: address === this.#options.gateway ? LOOPBACK : formatIpv4(address), port };
  }

  /** Whether the host is connected to the address it was told to. */
  acceptsPeer(destination: Destination, remoteAddress: string): boolean {
    if (remoteAddress === this.targetOf(destination).address) return true;
    this.refuse(destination, "connected elsewhere");
    return false;
  }

  /** The judge of a connection that was let through for inspection. */
  gateFor(destination: Destination): Gate {
    const { policy, names } = this.#options;
    return (firstBytes, isAll) => {
      const found = sniff(firstBytes, isAll);
      if (found.kind === "incomplete") return "wait";
      const name = found.kind === "name" ? found.name : undefined;
      const { address } = destination;
      const known = names.of(address);
      const decision = policy.decideNamed(destination, known, this.isOwn(address), name);
      if (decision.verdict === "allow") return "open";
      this.refuse(destination, decision.reason);
      return "closed";
    };
  }

  refuse(destination: Destination, reason: string): void {
    const { address, port, protocol } = destination;
    const target = formatIpv4(address) + (protocol === "icmp" ? "" : `:${port}`);
    this.#report({ protocol, target, reason });
  }

  refuseName(name: string, reason: string): void {
    this.#report({ protocol: "dns", target: name, reason });
  }

  isOwn(address: Ipv4): boolean {
    const { host } = this.#options;
    const now = host.nowMs();
    if (now >= this.#ownUntilMs) {
      this.#own = new Set(host.ownAddresses());
      this.#ownUntilMs = now + OWN_ADDRESSES_MS;
    }
    return this.#own.has(formatIpv4(address));
  }

  /** Whether an answer of the DNS with this address would be of any use. */
  mayAnswer(address: string): boolean {
    const parsed = parseIpv4(address);
    if (parsed === undefined) return false;
    const { policy, network } = this.#options;
    return !contains(network, parsed) && policy.mayReach(parsed, this.isOwn(parsed));
  }

  #report(refusal: Refusal): void {
    this.#options.counters.add(`refused: ${refusal.reason}`);
    this.#options.onRefused(refusal);
  }
}
