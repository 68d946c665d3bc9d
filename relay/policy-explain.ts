import type { Access } from "./access.ts";
import { formatIpv4, type Ipv4, parseDisguisedIpv4, parseIpv4 } from "./address.ts";
import type { DnsResult } from "./host.ts";
import type { Decision, Policy } from "./policy.ts";
import { endsInNumber, matchesDomain, type Protocol } from "./rules.ts";

/** What would happen to a connection, and why: for `net explain HOST:PORT`. */
export interface Explanation {
  host: string;
  port: number;
  protocol: Protocol;
  verdict: "allow" | "deny";
  /** One for each address of the host; empty when it has none, or may not be looked up. */
  addresses: { address: string; verdict: "allow" | "deny"; why: string }[];
  /** A sentence for people. */
  why: string;
}

export interface ExplainOptions {
  policy: Policy;
  access: Access;
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
  { policy, access }: ExplainOptions,
): Explanation["addresses"][number] {
  const destination = { protocol, address, port };
  const names = name === undefined ? [] : [name];
  const first = access.decideAs(destination, names);
  const decision =
    first.verdict === "inspect"
      ? policy.decideNamed(destination, names, access.isOwn(address), name)
      : first;
  const verdict = decision.verdict === "allow" ? "allow" : "deny";
  return { address: formatIpv4(address), verdict, why: sentenceOf(decision, name) };
}

function sentenceOf({ rule, reason, verdict }: Decision, name: string | undefined): string {
  if (rule === undefined) return verdict === "allow" ? `Open: ${reason}.` : `Closed: ${reason}.`;
  const { target } = rule;
  const isByName =
    target.kind === "domain" && name !== undefined && matchesDomain(target.pattern, name);
  const how = isByName ? ", if TLS or HTTP names it" : "";
  return `${verdict === "allow" ? "Open" : "Closed"} by the rule "${rule.text}"${how}.`;
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
