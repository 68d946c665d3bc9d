import { type Access, HOST_PORT } from "./access.ts";
import { formatIpv4, formatSubnet, type Ipv4, parseDisguisedIpv4, parseIpv4 } from "./address.ts";
import type { DnsResult } from "./host.ts";
import type { Decision, Policy } from "./policy.ts";
import { closedRangeOf } from "./ranges.ts";
import { endsInNumber, matchesDomain, type Protocol } from "./rules.ts";

/** What would happen to a connection, and why: for `net explain HOST:PORT`. */
export interface Explanation {
  host: string;
  port: number;
  protocol: Protocol;
  verdict: "allow" | "deny";
  /** One for each address of the host; empty when it has none, or may not be looked up. */
  addresses: AddressExplanation[];
  /** A sentence for people. */
  why: string;
}

export interface AddressExplanation {
  address: string;
  verdict: "allow" | "deny";
  why: string;
  /** The rule that decides, as it was written; absent where none does. */
  rule?: string;
}

export interface ExplainOptions {
  policy: Policy;
  access: Access;
  /** Ends on the relay itself, such as the name server. */
  isService(address: Ipv4, port: number): boolean;
  resolve(name: string): Promise<DnsResult>;
}

export async function explain(
  target: { host: string; port: number; protocol: Protocol },
  options: ExplainOptions,
): Promise<Explanation> {
  const host = target.host.toLowerCase().replace(/\.$/, "");
  const address = parseIpv4(host) ?? parseDisguisedIpv4(host);
  if (address !== undefined)
    return conclude(target, [explainAddress(target, address, undefined, options)]);
  if (host === "localhost" || host.endsWith(".localhost"))
    return conclude(target, [], `"${host}" is the guest itself: it never leaves it.`);
  if (host.includes(":")) return conclude(target, [], "There is no IPv6 in the guest's network.");
  if (endsInNumber(host))
    return conclude(target, [], `"${host}" is neither an address nor a name.`);
  if (!options.policy.mayResolve(host))
    return conclude(target, [], `No rule allows "${host}", so its name is not even looked up.`);
  const { status, records } = await options.resolve(host);
  const found = records.flatMap(({ data }) => (data.type === "A" ? [data.address] : []));
  if (found.length === 0)
    return conclude(target, [], `"${host}" has no IPv4 address (the resolver says: ${status}).`);
  const explained = found.flatMap((text) => {
    const parsed = parseIpv4(text);
    return parsed === undefined ? [] : [explainAddress(target, parsed, host, options)];
  });
  return conclude(target, explained);
}

function explainAddress(
  { port, protocol }: { port: number; protocol: Protocol },
  address: Ipv4,
  name: string | undefined,
  { policy, access, isService }: ExplainOptions,
): AddressExplanation {
  const destination = { protocol, address, port };
  const text = formatIpv4(address);
  if (isService(address, port))
    return { address: text, verdict: "allow", why: "Open: the relay's own name server." };
  const names = name === undefined ? [] : [name];
  const first = access.decideAs(destination, names);
  const decision =
    first.verdict === "inspect"
      ? policy.decideNamed(destination, names, access.isOwn(address), name)
      : first;
  const verdict = decision.verdict === "allow" ? "allow" : "deny";
  const { rule } = decision;
  const why = sentenceOf(decision, address, name);
  return { address: text, verdict, why, ...(rule === undefined ? {} : { rule: rule.text }) };
}

function sentenceOf({ rule, reason, verdict }: Decision, address: Ipv4, name?: string): string {
  const isOpen = verdict === "allow";
  if (rule === undefined)
    return isOpen ? `Open: ${reason}.` : `Closed: ${withoutRule(reason, address)}.`;
  const { target } = rule;
  const isByName =
    target.kind === "domain" && name !== undefined && matchesDomain(target.pattern, name);
  const how = isByName ? ", if TLS or HTTP names it" : "";
  return `${isOpen ? "Open" : "Closed"} by the rule "${rule.text}"${how}.`;
}

function withoutRule(reason: string, address: Ipv4): string {
  if (reason === HOST_PORT) return "a port of the computer itself that is not listed";
  const range = closedRangeOf(address);
  if (range?.name !== reason) return reason;
  const how = range.canBeOpened
    ? "only a rule for addresses within it opens it"
    : "no rule opens it";
  return `${formatSubnet(range.subnet)} is ${reason}, and ${how}`;
}

function conclude(
  { host, port, protocol }: { host: string; port: number; protocol: Protocol },
  addresses: Explanation["addresses"],
  why = "",
): Explanation {
  const isOpen = addresses.length > 0 && addresses.every(({ verdict }) => verdict === "allow");
  const reasons = [...new Set(addresses.map((each) => `${each.address}: ${each.why}`))];
  return {
    host,
    port,
    protocol,
    verdict: isOpen ? "allow" : "deny",
    addresses,
    why: why === "" ? reasons.join(" ") : why,
  };
}
