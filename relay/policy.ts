import type { Ipv4 } from "./address.ts";
import { type ClosedRange, closedRangeOf, isWithin } from "./ranges.ts";
import { matchesDomain, type Protocol, parseRules, type Rule } from "./rules.ts";

export interface Destination {
  protocol: Protocol;
  address: Ipv4;
  /** 0 for ICMP. */
  port: number;
}

export interface Decision {
  /** `inspect`: allowed or not by the name that the guest will say, in TLS or HTTP. */
  verdict: "allow" | "deny" | "inspect";
  /** One of a few, for counting. */
  reason: string;
  /** The rule that decided. */
  rule?: Rule;
}

export interface PolicyOptions {
  rules: readonly Rule[];
  /** Ports of the computer itself that the guest reaches at the gateway's address. */
  hostPorts?: readonly number[];
}

const SMTP = 25;
/** The open internet, but for mail servers. */
export const INTERNET_RULES = `deny tcp any ${SMTP}\nallow any`;

/**
 * What a guest may reach. The first rule that matches wins, and what no rule allows is denied. Addresses outside the
 * open internet are closed to all rules but those that name a range within them.
 */
export class Policy {
  readonly rules: readonly Rule[];
  readonly hostPorts: ReadonlySet<number>;

  constructor(options: PolicyOptions) {
    this.rules = options.rules;
    this.hostPorts = new Set(options.hostPorts);
  }

  /** The open internet, but for mail servers. */
  static internet(hostPorts: readonly number[] = []): Policy {
    return new Policy({ rules: parseRules(INTERNET_RULES), hostPorts });
  }

  static none(hostPorts: readonly number[] = []): Policy {
    return new Policy({ rules: [], hostPorts });
  }

  /** Rules of a file; see `parseRules`. Mail stays closed unless a rule names port 25. Throws `PolicyError`. */
  static parse(text: string, hostPorts: readonly number[] = []): Policy {
    return new Policy({ rules: parseRules(text), hostPorts });
  }

  /**
   * @param names what our own DNS answered with this address
   * @param isOwn whether it is an address of the computer itself
   */
  decide(destination: Destination, names: readonly string[], isOwn: boolean): Decision {
    const closed = closedAs(destination.address, isOwn);
    let mayBeNamed = false;
    for (const rule of this.rules) {
      if (!concerns(rule, destination)) continue;
      if (rule.target.kind === "domain") {
        if (closed !== undefined) continue;
        const { pattern } = rule.target;
        const isNamed = names.some((name) => matchesDomain(pattern, name));
        if (destination.protocol !== "tcp") {
          if (rule.action === "deny" && isNamed) return { verdict: "deny", reason: "rule", rule };
        } else if (rule.action === "deny") mayBeNamed = true;
        else if (isNamed) return { verdict: "inspect", reason: "rule", rule };
        continue;
      }
      const decision = decideByAddress(rule, destination, closed);
      if (decision === undefined) continue;
      if (decision.verdict === "allow" && mayBeNamed) return { ...decision, verdict: "inspect" };
      return decision;
    }
    return { verdict: "deny", reason: closed?.name ?? "no rule allows it" };
  }

  /**
   * The second look at a TCP connection, now that the guest has said a name.
   *
   * @param name from TLS or HTTP; "" when these were spoken without one; `undefined` for other protocols
   */
  decideNamed(
    destination: Destination,
    names: readonly string[],
    isOwn: boolean,
    name: string | undefined,
  ): Decision {
    const closed = closedAs(destination.address, isOwn);
    let isForeign = false;
    for (const rule of this.rules) {
      if (!concerns(rule, destination)) continue;
      if (rule.target.kind !== "domain") {
        const decision = decideByAddress(rule, destination, closed);
        if (decision !== undefined) return decision;
        continue;
      }
      if (closed !== undefined) continue;
      const { pattern } = rule.target;
      if (rule.action === "deny") {
        // Who says nothing, or a name that does not lead here, may want any that does.
        const isTrue = name !== undefined && names.includes(name);
        const said = isTrue ? [name] : [name ?? "", ...names];
        if (said.some((each) => matchesDomain(pattern, each)))
          return { verdict: "deny", reason: "rule", rule };
      } else if (name === undefined) {
        const isOnlyName = names.length > 0 && names.every((each) => matchesDomain(pattern, each));
        if (isOnlyName) return { verdict: "allow", reason: "rule", rule };
      } else if (matchesDomain(pattern, name)) {
        // A name that was never looked up, or not found here, is a disguise.
        if (names.includes(name)) return { verdict: "allow", reason: "rule", rule };
        isForeign = true;
      }
    }
    const reason = isForeign ? "name not of this address" : "name not allowed";
    return { verdict: "deny", reason };
  }

  /** Whether any rule could lead to an address, at whatever port. */
  mayReach(address: Ipv4, isOwn: boolean): boolean {
    const closed = closedAs(address, isOwn);
    if (closed === undefined) return true;
    if (!closed.canBeOpened) return false;
    return this.rules.some(
      ({ action, target }) =>
        action === "allow" &&
        target.kind === "subnet" &&
        isWithin({ base: address, bits: 32 }, target.subnet) &&
        isWithin(target.subnet, closed.subnet),
    );
  }

  /** Whether looking a name up can lead anywhere; what cannot is not told to the world's name servers. */
  mayResolve(name: string): boolean {
    for (const { action, target, ports, protocol } of this.rules) {
      if (target.kind === "domain") {
        if (!matchesDomain(target.pattern, name)) continue;
        if (action === "allow") return true;
        if (ports === undefined && protocol === undefined) return false;
      } else if (action === "allow") return true;
      else if (target.kind === "any" && ports === undefined && protocol === undefined) return false;
    }
    return false;
  }
}

function decideByAddress(
  rule: Rule,
  destination: Destination,
  closed: ClosedRange | undefined,
): Decision | undefined {
  const { target, action } = rule;
  if (target.kind === "domain") return undefined;
  if (target.kind === "subnet" && !isWithin({ base: destination.address, bits: 32 }, target.subnet))
    return undefined;
  if (action === "deny") {
    const isMail = destination.protocol === "tcp" && destination.port === SMTP;
    const reason = closed?.name ?? (isMail && target.kind === "any" ? "mail" : "rule");
    return { verdict: "deny", reason, rule };
  }
  if (closed !== undefined) {
    const opens = target.kind === "subnet" && isWithin(target.subnet, closed.subnet);
    if (!opens || !closed.canBeOpened) return undefined;
  }
  return { verdict: "allow", reason: "rule", rule };
}

function concerns(rule: Rule, { protocol, port }: Destination): boolean {
  if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
  if (rule.ports === undefined)
    return !(rule.action === "allow" && protocol === "tcp" && port === SMTP);
  return protocol !== "icmp" && rule.ports.some(([from, to]) => port >= from && port <= to);
}

/** An address of the computer itself is closed even where it is a public one, and opened only by its own name. */
function closedAs(address: Ipv4, isOwn: boolean): ClosedRange | undefined {
  const range = closedRangeOf(address);
  if (!isOwn || range?.name === "loopback") return range;
  return { subnet: { base: address, bits: 32 }, name: "the host itself", canBeOpened: true };
}
