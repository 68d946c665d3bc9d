import type { Ipv4, Mac } from "./address.ts";
import { maskOf } from "./address.ts";
import { receiveArp } from "./arp.ts";
import { answerDhcp, DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from "./dhcp.ts";
import { DNS_PORT, type Dns } from "./dns.ts";
import type { Echo } from "./echo.ts";
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ethertypeOf,
  isFor,
  isStation,
} from "./ethernet.ts";
import { type Icmp, parseEchoRequest, UNREACHABLE } from "./icmp.ts";
import {
  type Ipv4Output,
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpv4Packet,
} from "./ipv4.ts";
import type { Reassembly } from "./reassembly.ts";
import type { Tcp } from "./tcp.ts";
import { parseSegment } from "./tcp-segment.ts";
import { type Datagram, type Endpoint, parseDatagram, sendDatagram } from "./udp.ts";
import type { UdpFlows } from "./udp-flows.ts";

const ANY_ADDRESS = 0;
const BROADCAST = 0xffffffff;
const EVERYONE: Mac = new Uint8Array(6).fill(0xff);
const MAX_FRAME_BYTES = ETHERNET_HEADER_BYTES + 0xffff;

/** Addresses on the wire. */
export interface Network {
  mac: Mac;
  gateway: Ipv4;
  guest: Ipv4;
  dns: Ipv4;
  maskBits: number;
  mtuBytes: number;
}

export interface RouterOptions {
  network: Network;
  output: Ipv4Output;
  icmp: Icmp;
  reassembly: Reassembly;
  echo: Echo;
  dns: Dns;
  udp: UdpFlows;
  tcp: Tcp;
  /** False where the guest leaves TCP and UDP checksums to its card. */
  verifiesChecksums: boolean;
}

/** Takes the guest's frames apart and gives each to the part that it is for (RFC 1812). */
export class Router {
  readonly #options: RouterOptions;
  readonly #network: Network;
  readonly #broadcast: Ipv4;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#network = options.network;
    const { gateway, maskBits } = options.network;
    this.#broadcast = (gateway | ~maskOf(maskBits)) >>> 0;
  }

  /** Says why a frame is of no use. */
  receive(frame: Uint8Array): string | undefined {
    if (frame.length < ETHERNET_HEADER_BYTES) return "Ethernet: too short";
    // A card that cuts segments hands over frames larger than the MTU.
    if (frame.length > MAX_FRAME_BYTES) return "Ethernet: too long";
    if (!isStation(frame, 6)) return "Ethernet: from a group address";
    if (!isFor(frame, this.#network.mac)) return "Ethernet: for another station";
    const ethertype = ethertypeOf(frame);
    if (ethertype === ETHERTYPE_ARP) {
      this.#options.output.wire.learn(frame, 6);
      const isOurs = (address: Ipv4) => this.#isOurs(address);
      return receiveArp(frame, { wire: this.#options.output.wire, mac: this.#network.mac, isOurs });
    }
    if (ethertype !== ETHERTYPE_IPV4) return "Ethernet: of another protocol";
    const packet = parseIpv4Packet(frame);
    if (typeof packet === "string") return packet;
    const isPiece = packet.moreFragments || packet.fragmentOffset > 0;
    return isPiece ? this.#receiveFragment(packet, frame) : this.#receiveIpv4(packet, frame);
  }

  #receiveFragment(packet: Ipv4Packet, frame: Uint8Array): string | undefined {
    if (packet.source !== this.#network.guest) return "IPv4: from a foreign address";
    const trouble = this.#cannotRoute(packet);
    if (trouble !== undefined) return trouble;
    const whole = this.#options.reassembly.add(packet);
    if (whole === undefined || typeof whole === "string") return whole;
    return this.#receiveIpv4(whole, frame);
  }

  #receiveIpv4(packet: Ipv4Packet, frame: Uint8Array): string | undefined {
    const { source, destination, protocol } = packet;
    const checks = this.#options.verifiesChecksums;
    if (protocol === PROTOCOL_UDP && (source === this.#network.guest || source === ANY_ADDRESS)) {
      const datagram = parseDatagram(packet, checks);
      if (typeof datagram === "string") return datagram;
      if (datagram.destinationPort === DHCP_SERVER_PORT && this.#isForDhcp(destination)) {
        this.#options.output.wire.learn(frame, 6);
        return this.#answerDhcp(datagram);
      }
      if (source === this.#network.guest) return this.#receiveUdp(packet, datagram, frame);
    }
    if (source !== this.#network.guest) return "IPv4: from a foreign address";
    this.#options.output.wire.learn(frame, 6);
    const trouble = this.#cannotRoute(packet);
    if (trouble !== undefined) return trouble;
    if (protocol === PROTOCOL_TCP) {
      const segment = parseSegment(packet, checks);
      if (typeof segment === "string") return segment;
      this.#options.tcp.receive(packet, segment);
      return undefined;
    }
    if (protocol === PROTOCOL_ICMP) {
      const request = parseEchoRequest(packet.payload);
      if (typeof request === "string") return request;
      this.#options.echo.receive(packet, request);
      return undefined;
    }
    this.#options.icmp.unreachable(packet, UNREACHABLE.protocol);
    return "IPv4: of another protocol";
  }

  #receiveUdp(packet: Ipv4Packet, datagram: Datagram, frame: Uint8Array): string | undefined {
    this.#options.output.wire.learn(frame, 6);
    const trouble = this.#cannotRoute(packet);
    if (trouble !== undefined) return trouble;
    if (packet.destination !== this.#network.dns) {
      this.#options.udp.receive(packet, datagram);
      return undefined;
    }
    if (datagram.destinationPort !== DNS_PORT) {
      this.#options.icmp.unreachable(packet, UNREACHABLE.port);
      return "UDP: to no service";
    }
    const from: Endpoint = { address: this.#network.dns, port: DNS_PORT };
    const to: Endpoint = { address: this.#network.guest, port: datagram.sourcePort };
    this.#options.dns.answer(datagram.payload, false, (answer) =>
      sendDatagram(this.#options.output, from, to, answer),
    );
    return undefined;
  }

  /** A router's own checks (RFC 1812, 5.3). */
  #cannotRoute(packet: Ipv4Packet): string | undefined {
    const { destination, timeToLive } = packet;
    if (destination === this.#network.guest) return "IPv4: to the guest itself";
    if (destination === this.#broadcast || destination === BROADCAST || destination >>> 28 === 14)
      return "IPv4: to a group";
    if (timeToLive > 1 || this.#isOurs(destination)) return undefined;
    this.#options.icmp.timeExceeded(packet);
    return "IPv4: too many hops";
  }

  #answerDhcp({ payload }: Datagram): string | undefined {
    const reply = answerDhcp(payload, this.#network);
    if (reply === undefined || typeof reply === "string") return reply;
    const from = { address: this.#network.gateway, port: DHCP_SERVER_PORT };
    const to = { address: reply.destination, port: DHCP_CLIENT_PORT };
    sendDatagram(this.#options.output, from, to, reply.message, reply.mac ?? EVERYONE);
    return undefined;
  }

  #isForDhcp(destination: Ipv4): boolean {
    return [BROADCAST, this.#broadcast, this.#network.gateway].includes(destination);
  }

  #isOurs(address: Ipv4): boolean {
    return address === this.#network.gateway || address === this.#network.dns;
  }
}
