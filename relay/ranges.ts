import { contains, type Ipv4, parseSubnet, type Subnet } from "./address.ts";

/** Addresses that are not the open internet: RFC 6890 and IANA's special-purpose registry. */
export interface ClosedRange {
  subnet: Subnet;
  name: string;
  /** A rule can open it. Nothing there could be meant well by others. */
  canBeOpened: boolean;
}

export const CLOSED_RANGES: readonly ClosedRange[] = [
  // Linux connects 0.0.0.0 to itself.
  closed("0.0.0.0/8", "this network", false),
  closed("10.0.0.0/8", "private", true),
  closed("100.64.0.0/10", "shared", true),
  closed("127.0.0.0/8", "loopback", true),
  // Clouds tell their secrets at one of its addresses.
  closed("169.254.169.254/32", "metadata", true),
  closed("169.254.0.0/16", "link-local", true),
  closed("172.16.0.0/12", "private", true),
  closed("192.0.0.0/24", "protocol assignments", true),
  closed("192.0.2.0/24", "documentation", true),
  closed("192.31.196.0/24", "AS112", true),
  closed("192.52.193.0/24", "AMT", true),
  closed("192.88.99.0/24", "6to4 relay", true),
  closed("192.168.0.0/16", "private", true),
  closed("192.175.48.0/24", "AS112", true),
  closed("198.18.0.0/15", "benchmarking", true),
  closed("198.51.100.0/24", "documentation", true),
  closed("203.0.113.0/24", "documentation", true),
  closed("224.0.0.0/4", "multicast", false),
  closed("255.255.255.255/32", "broadcast", false),
  closed("240.0.0.0/4", "reserved", false),
];

/** Where cloud providers answer with secrets although the address looks public. */
const METADATA: readonly ClosedRange[] = [
  closed("168.63.129.16/32", "metadata", true),
  closed("100.100.100.200/32", "metadata", true),
];

/** The first range that an address lies in. */
export function closedRangeOf(address: Ipv4): ClosedRange | undefined {
  const isIn = ({ subnet }: ClosedRange) => contains(subnet, address);
  return METADATA.find(isIn) ?? CLOSED_RANGES.find(isIn);
}

/** Whether a rule's addresses all lie in one closed range: only then it means to open it. */
export function isWithin(inner: Subnet, outer: Subnet): boolean {
  return inner.bits >= outer.bits && contains(outer, inner.base);
}

function closed(text: string, name: string, canBeOpened: boolean): ClosedRange {
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new TypeError(`${text} is no range of addresses`);
  return { subnet, name, canBeOpened };
}
