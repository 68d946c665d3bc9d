import { type Ipv4, type Mac, maskOf } from "./address.ts";
import { read16, read32, write32 } from "./ethernet.ts";

/** DHCP (RFC 2131, options RFC 2132) for a wire with one client, which always gets the same address. */

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

const FIXED_BYTES = 240;
const MAGIC_COOKIE = 0x63825363;
const BOOTREQUEST = 1;
const BOOTREPLY = 2;
const HARDWARE_ETHERNET = 1;
const BROADCAST_FLAG = 0x8000;

const DISCOVER = 1;
const OFFER = 2;
const REQUEST = 3;
const ACK = 5;
const NAK = 6;
const INFORM = 8;

const OPT_PAD = 0;
const OPT_SUBNET_MASK = 1;
const OPT_ROUTER = 3;
const OPT_DNS = 6;
const OPT_MTU = 26;
const OPT_BROADCAST = 28;
const OPT_REQUESTED_ADDRESS = 50;
const OPT_LEASE_SECONDS = 51;
const OPT_MESSAGE_TYPE = 53;
const OPT_SERVER = 54;
const OPT_END = 255;

/**
 * RFC 2131, 3.3: infinity. The address never changes hands, and a guest that wakes after a month has no time to
 * renew a lease first.
 */
const LEASE_SECONDS = 0xffffffff;

export interface DhcpLease {
  gateway: Ipv4;
  guest: Ipv4;
  dns: Ipv4;
  maskBits: number;
  mtuBytes: number;
}

export interface DhcpReply {
  message: Uint8Array;
  destination: Ipv4;
  /** Absent for everyone. */
  mac: Mac | undefined;
}

/** The answer to a client's message; `undefined` for messages that get none, a reason for unsound ones. */
export function answerDhcp(request: Uint8Array, lease: DhcpLease): DhcpReply | string | undefined {
  if (request.length < FIXED_BYTES || read32(request, 236) !== MAGIC_COOKIE)
    return "DHCP: too short";
  const isEthernet = request[1] === HARDWARE_ETHERNET && request[2] === 6;
  if (request[0] !== BOOTREQUEST || !isEthernet) return "DHCP: not an Ethernet client's request";
  const options = readOptions(request);
  if (options === undefined) return "DHCP: unsound options";

  const type = options.get(OPT_MESSAGE_TYPE)?.[0];
  const server = address(options.get(OPT_SERVER));
  const clientAddress = read32(request, 12);
  // Selecting another server's offer (4.3.2).
  if (server !== undefined && server !== lease.gateway) return undefined;
  if (type === DISCOVER) return reply(request, lease, OFFER);
  if (type === INFORM) return reply(request, lease, ACK);
  if (type !== REQUEST) return undefined;
  const wanted = address(options.get(OPT_REQUESTED_ADDRESS)) ?? clientAddress;
  return reply(request, lease, wanted === lease.guest ? ACK : NAK);
}

function reply(request: Uint8Array, lease: DhcpLease, type: number): DhcpReply {
  const fixed = new Uint8Array(FIXED_BYTES);
  fixed[0] = BOOTREPLY;
  fixed[1] = HARDWARE_ETHERNET;
  fixed[2] = 6;
  fixed.set(request.subarray(4, 8), 4); // the client's transaction number
  fixed.set(request.subarray(10, 12), 10); // its flags
  fixed.set(request.subarray(28, 44), 28); // its hardware address
  write32(fixed, 236, MAGIC_COOKIE);

  const isInform = (request[12] ?? 0) !== 0 && type === ACK && messageType(request) === INFORM;
  const options = [OPT_MESSAGE_TYPE, 1, type, OPT_SERVER, 4, ...bytes32(lease.gateway)];
  if (type !== NAK) {
    if (!isInform) write32(fixed, 16, lease.guest);
    if (!isInform) options.push(OPT_LEASE_SECONDS, 4, ...bytes32(LEASE_SECONDS));
    const mask = maskOf(lease.maskBits);
    options.push(OPT_SUBNET_MASK, 4, ...bytes32(mask));
    options.push(OPT_BROADCAST, 4, ...bytes32((lease.guest | ~mask) >>> 0));
    options.push(OPT_ROUTER, 4, ...bytes32(lease.gateway));
    options.push(OPT_DNS, 4, ...bytes32(lease.dns));
    options.push(OPT_MTU, 2, lease.mtuBytes >>> 8, lease.mtuBytes & 255);
    write32(fixed, 20, lease.gateway);
  }
  options.push(OPT_END);
  // RFC 1542, 2.1: some clients want the 300 bytes of a BOOTP message.
  const message = new Uint8Array(Math.max(300, FIXED_BYTES + options.length));
  message.set(fixed);
  message.set(options, FIXED_BYTES);

  const clientAddress = read32(request, 12);
  const mac = request.slice(28, 34);
  // RFC 2131, 4.1: where the client can hear us.
  if (type !== NAK && clientAddress === lease.guest)
    return { message, destination: clientAddress, mac };
  const isBroadcast = type === NAK || (read16(request, 10) & BROADCAST_FLAG) !== 0;
  if (isBroadcast) return { message, destination: 0xffffffff, mac: undefined };
  return { message, destination: lease.guest, mac };
}

function messageType(request: Uint8Array): number | undefined {
  return readOptions(request)?.get(OPT_MESSAGE_TYPE)?.[0];
}

/** The first of each option; `undefined` when one reaches past the end. */
function readOptions(message: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  for (let at = FIXED_BYTES; at < message.length; ) {
    const code = message[at] ?? OPT_END;
    if (code === OPT_END) break;
    if (code === OPT_PAD) {
      at++;
      continue;
    }
    const end = at + 2 + (message[at + 1] ?? 0);
    if (end > message.length) return undefined;
    if (!options.has(code)) options.set(code, message.subarray(at + 2, end));
    at = end;
  }
  return options;
}

function address(option: Uint8Array | undefined): Ipv4 | undefined {
  return option?.length === 4 ? read32(option, 0) : undefined;
}

function bytes32(value: number): number[] {
  const bytes = new Uint8Array(4);
  write32(bytes, 0, value);
  return [...bytes];
}
