import { parseSubnet, type Subnet } from "./address.ts";

/** What a policy's rules are about. */
export type Protocol = "tcp" | "udp" | "icmp";

export type RuleTarget =
  /** Every address of the open internet. */
  | { kind: "any" }
  | { kind: "subnet"; subnet: Subnet }
  /** TCP only: `example.org`, or `*.example.org` for all names below it. */
  | { kind: "domain"; pattern: string };

export interface Rule {
  action: "allow" | "deny";
  /** All where absent. */
  protocol?: Protocol | undefined;
  target: RuleTarget;
  /** First and last of each run; all where absent. */
  ports?: readonly (readonly [number, number])[] | undefined;
  /** As it was written, for people. */
  text: string;
}

export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly code = "BAD_POLICY";
}

/**
 * Rules as text, one a line: `allow|deny [tcp|udp|icmp] any|CIDR|DOMAIN [PORT[-PORT][,…]]`, `#` begins a remark.
 * What no rule allows is denied.
 *
 * @example
 * parseRules("allow tcp *.npmjs.org 443\nallow tcp 140.82.112.0/20 22,443\ndeny any");
 */
export function parseRules(text: string): Rule[] {
  return text.split("\n").flatMap((line, index) => {
    const words = line.replace(/#.*/, "").trim();
    if (words === "") return [];
    try {
      return [parseRule(words)];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new PolicyError(`Line ${index + 1} of the network policy, "${words}": ${why}`);
    }
  });
}

function parseRule(text: string): Rule {
  const words = text.split(/\s+/);
  const action = words.shift();
  if (action !== "allow" && action !== "deny")
    throw new PolicyError('a rule begins with "allow" or "deny".');
  const protocol = isProtocol(words[0]) ? words[0] : undefined;
  if (protocol !== undefined) words.shift();
  const [target, ports, ...rest] = words;
  if (target === undefined) throw new PolicyError("it says no address, domain or `any`.");
  if (rest.length > 0) throw new PolicyError(`"${rest.join(" ")}" is too much.`);
  if (ports !== undefined && protocol === "icmp") throw new PolicyError("ICMP has no ports.");
  const parsed = parseTarget(target);
  if (parsed.kind === "domain" && protocol !== undefined && protocol !== "tcp")
    throw new PolicyError("a domain can be checked for TCP only.");
  return {
    action,
    protocol,
    target: parsed,
    ports: ports === undefined ? undefined : parsePorts(ports),
    text,
  };
}

function isProtocol(word: string | undefined): word is Protocol {
  return word === "tcp" || word === "udp" || word === "icmp";
}

function parseTarget(word: string): RuleTarget {
  if (word === "any" || word === "0.0.0.0/0") return { kind: "any" };
  const subnet = parseSubnet(word);
  if (subnet !== undefined) return { kind: "subnet", subnet };
  const pattern = word.toLowerCase().replace(/\.$/, "");
  const name = pattern.replace(/^\*\./, "");
  const isName = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(
    name,
  );
  if (!isName || endsInNumber(name))
    throw new PolicyError(
      `"${word}" is no address (10.0.0.0/8), domain (*.example.org) or \`any\`.`,
    );
  return { kind: "domain", pattern };
}

function parsePorts(word: string): [number, number][] {
  return word.split(",").map((run) => {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(run) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from >= 1 && from <= to && to <= 65_535))
      throw new PolicyError(`"${run}" is no port (443) or run of ports (8000-8999).`);
    return [from, to];
  });
}

/** `*.example.org` has all names below `example.org`, not itself. */
export function matchesDomain(pattern: string, name: string): boolean {
  if (!pattern.startsWith("*.")) return name === pattern;
  const suffix = pattern.slice(1);
  return name.length > suffix.length && name.endsWith(suffix);
}

/** A name that some library would take for an address (URL Standard, "ends in a number checker"). */
export function endsInNumber(name: string): boolean {
  const last = name.replace(/\.$/, "").split(".").at(-1) ?? "";
  return /^(\d+|0x[0-9a-f]*)$/i.test(last);
}
