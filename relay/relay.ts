import { Access, type Refusal } from "./access.ts";
import { formatIpv4, type Ipv4, type Mac, maskOf, parseIpv4, parseMac } from "./address.ts";
import { AnsweredNames } from "./answered-names.ts";
import { Counters } from "./counters.ts";
import { DNS_PORT, Dns } from "./dns.ts";
import { DnsStream } from "./dns-stream.ts";
import { Echo } from "./echo.ts";
import type { Host, HostStream, StreamEvents } from "./host.ts";
import { Icmp } from "./icmp.ts";
import { Ipv4Output } from "./ipv4.ts";
import { Budget, DEFAULT_LIMITS, type Limits, TokenBucket } from "./limits.ts";
import { Policy } from "./policy.ts";
import { type Explanation, explain } from "./policy-explain.ts";
import { Reassembly } from "./reassembly.ts";
import { Router } from "./router.ts";
import type { Protocol } from "./rules.ts";
import { Tcp } from "./tcp.ts";
import { SegmentOutput } from "./tcp-segment.ts";
import type { SavedFlow } from "./tcp-services.ts";
import { Timers } from "./timers.ts";
import { Traffic } from "./traffic.ts";
import type { Endpoint } from "./udp.ts";
import { UdpFlows } from "./udp-flows.ts";
import { type SendFrame, Wire } from "./wire.ts";

export interface RelayAddresses {
  /** The router, and the address of the host's services. */
  gateway: string;
  guest: string;
  dns: string;
  maskBits: number;
}

export const DEFAULT_ADDRESSES: RelayAddresses = {
  gateway: "10.0.2.2",
  guest: "10.0.2.15",
  dns: "10.0.2.3",
  maskBits: 24,
};

/** Work that the card takes off both sides (virtio 1.2, 5.1.3): only for those who speak virtio-net's header themselves. */
export interface Offload {
  /** Frames from the guest come without sound TCP and UDP checksums. */
  checksumsFromGuest?: boolean;
  /** The guest takes TCP's checksums for checked. */
  checksumsToGuest?: boolean;
  /** The guest takes frames of many TCP segments; see `FrameInfo`. */
  segmentsToGuest?: boolean;
}

export interface RelayOptions {
  host: Host;
  policy?: Policy;
  limits?: Partial<Limits>;
  /** `aa:bb:…`; learned from the guest's frames where absent. */
  guestMac?: string;
  addresses?: RelayAddresses;
  /** Of the guest's card: 68 to 65535. */
  mtu?: number;
  offload?: Offload;
  send: SendFrame;
  /** Free receive descriptors of the guest's card; without it, frames are sent as they come. */
  canSend?: () => number;
  /** Whether the guest keeps up with the data it gets; while it does not, data waits and answers go out. */
  takesData?: () => boolean;
  onRefused?: (refusal: Refusal) => void;
  /** A mistake of ours: the frame is dropped, and the relay goes on. */
  onFault?: (error: unknown) => void;
}

export interface RelayStats {
  tcpConnections: number;
  tcpConnecting: number;
  tcpTimeWait: number;
  udpFlows: number;
  pendingQueries: number;
  bufferedBytes: number;
  /** Of datagrams that have come in part. */
  fragmentBytes: number;
  framesIn: number;
  framesOut: number;
  /** Payload of TCP and UDP. */
  upBytes: number;
  downBytes: number;
  /** Frames dropped and flows refused, by reason. */
  counts: Record<string, number>;
}

/** Locally administered; the same for every relay, so that a saved guest finds its router again. */
const GATEWAY_MAC = "02:4d:6f:6d:00:01";
const MIN_MTU = 68;
const MAX_MTU = 65_535;
const IPV4_AND_TCP_HEADER_BYTES = 40;
const BURST_SECONDS = 3;

/**
 * The network of one guest: Ethernet frames in and out, everything else through a `Host`.
 *
 * @example
 * const relay = new Relay({ host: nodeHost(), policy: Policy.internet(), send: (frame) => card.receive(frame) });
 * card.onFrame((frame) => relay.receive(frame));
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #policy: Policy;
  readonly #gateway: Ipv4;
  readonly #guest: Ipv4;
  readonly #dnsAddress: Ipv4;
  readonly #maskBits: number;
  readonly #mtu: number;
  readonly #counters = new Counters();
  readonly #timers: Timers;
  readonly #wire: Wire;
  readonly #output: Ipv4Output;
  readonly #icmp: Icmp;
  readonly #names: AnsweredNames;
  readonly #access: Access;
  readonly #dns: Dns;
  readonly #reassembly: Reassembly;
  readonly #echo: Echo;
  readonly #udp: UdpFlows;
  readonly #tcp: Tcp;
  readonly #traffic: Traffic;
  readonly #budget: Budget;
  readonly #router: Router;
  #framesIn = 0;
  #flushIsPlanned = false;
  #isClosed = false;

  constructor(options: RelayOptions) {
    const { host } = options;
    const addresses = options.addresses ?? DEFAULT_ADDRESSES;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#options = options;
    this.#policy = options.policy ?? Policy.internet();
    this.#gateway = ipv4(addresses.gateway);
    this.#guest = ipv4(addresses.guest);
    this.#dnsAddress = ipv4(addresses.dns);
    this.#maskBits = addresses.maskBits;
    this.#mtu = Math.min(MAX_MTU, Math.max(MIN_MTU, options.mtu ?? 1500));
    const gatewayMac = mac(GATEWAY_MAC);
    this.#timers = new Timers(host);
    this.#budget = new Budget(limits.bufferBytes);
    this.#wire = new Wire({
      gatewayMac,
      guestMac: options.guestMac === undefined ? undefined : mac(options.guestMac),
      send: options.send,
      canSend: options.canSend ?? (() => Number.POSITIVE_INFINITY),
      takesData: options.takesData ?? (() => true),
      counters: this.#counters,
    });
    this.#output = new Ipv4Output(this.#wire, this.#mtu);
    const nowMs = () => host.nowMs();
    const policy = this.#policy;
    const counters = this.#counters;
    const gateway = this.#gateway;
    const output = this.#output;
    const timers = this.#timers;
    const traffic = new Traffic(limits, nowMs);
    const newFlows = new TokenBucket(
      limits.newFlowsPerSecond,
      limits.newFlowsPerSecond * BURST_SECONDS,
      nowMs,
    );
    this.#traffic = traffic;
    this.#icmp = new Icmp(output, gateway);
    this.#reassembly = new Reassembly({ icmp: this.#icmp, timers, counters });
    this.#names = new AnsweredNames(nowMs);
    const names = this.#names;
    const base = (gateway & maskOf(this.#maskBits)) >>> 0;
    this.#access = new Access({
      host,
      policy,
      names,
      counters,
      network: { base, bits: this.#maskBits },
      gateway,
      onRefused: (refusal) => options.onRefused?.(refusal),
    });
    const access = this.#access;
    const icmp = this.#icmp;
    this.#dns = new Dns({ host, policy, access, names, maxPending: limits.pendingQueries });
    const dnsAddress = this.#dnsAddress;
    const isOurs = (address: Ipv4) => address === gateway || address === dnsAddress;
    this.#echo = new Echo({ host, access, icmp, counters, isOurs });
    const common = { host, access, icmp, timers, counters, limits, newFlows, traffic };
    this.#udp = new UdpFlows({ ...common, output });
    this.#tcp = new Tcp({
      ...common,
      output: new SegmentOutput(output, options.offload?.checksumsToGuest !== true),
      budget: this.#budget,
      mssBytes: this.#mtu - IPV4_AND_TCP_HEADER_BYTES,
      cutsSegments: options.offload?.segmentsToGuest === true,
      guest: this.#guest,
      gateway,
      serviceAt: (remote) => this.#serviceAt(remote),
      wantsFlush: () => this.#planFlush(),
    });
    this.#router = new Router({
      network: {
        mac: gatewayMac,
        gateway,
        guest: this.#guest,
        dns: dnsAddress,
        maskBits: this.#maskBits,
        mtuBytes: this.#mtu,
      },
      output,
      icmp,
      reassembly: this.#reassembly,
      echo: this.#echo,
      dns: this.#dns,
      udp: this.#udp,
      tcp: this.#tcp,
      verifiesChecksums: options.offload?.checksumsFromGuest !== true,
    });
  }

  /** A frame of the guest's, whatever is in it. The relay keeps views of it: its bytes must not change afterwards. */
  receive(frame: Uint8Array): void {
    if (this.#isClosed) return;
    this.#framesIn++;
    try {
      const trouble = this.#router.receive(frame);
      if (trouble !== undefined) this.#counters.add(`dropped: ${trouble}`);
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The batch of frames is over, or the card has room again: sends what may be sent. */
  flush(): void {
    if (this.#isClosed) return;
    try {
      this.#wire.flush();
      this.#tcp.flush();
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The guest stands still: its time does, too. */
  pause(): void {
    this.#timers.pause();
  }

  resume(): void {
    this.#timers.resume();
    this.#planFlush();
  }

  /**
   * Another guest, or another state of it, will be behind the card: all flows end, with RST as far as the card has
   * room, and nothing that was asked for is answered any more.
   */
  closeAll(): void {
    this.#tcp.closeAll();
    this.#udp.closeAll();
    this.#reassembly.clear();
    this.#echo.forget();
    this.#dns.forget();
    this.#names.clear();
    this.#wire.clear();
  }

  /** The connections that the guest believes in: JSON to be kept beside its saved state. */
  saveFlows(): SavedFlow[] {
    return this.#tcp.save();
  }

  /** A guest was restored that believes in these: each is told that it is over, or a reader would wait for ever. */
  resetFlows(flows: readonly SavedFlow[]): void {
    this.#tcp.reset(flows);
  }

  /** Ends everything, and sends nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.closeAll();
    this.#wire.close();
    this.#timers.clear();
  }

  /** Counts the total of bytes from zero again. */
  resetQuota(): void {
    this.#traffic.resetTotal();
  }

  /** Joins a stream of the host's to a port that the guest listens on; `onError` tells when nobody does. */
  connectToGuest(port: number, connect: (events: StreamEvents) => HostStream): void {
    this.#tcp.connectToGuest(port, connect);
  }

  /** What would become of a connection of the guest's, and by which rule. */
  explain(host: string, port: number, protocol: Protocol = "tcp"): Promise<Explanation> {
    const resolve = (name: string) => this.#options.host.resolve(name, "A");
    const isService = (address: Ipv4, at: number) =>
      address === this.#dnsAddress && at === DNS_PORT;
    return explain(
      { host, port, protocol },
      { policy: this.#policy, access: this.#access, isService, resolve },
    );
  }

  stats(): RelayStats {
    return {
      tcpConnections: this.#tcp.size,
      tcpConnecting: this.#tcp.connectingCount,
      tcpTimeWait: this.#tcp.timeWaitCount,
      udpFlows: this.#udp.size,
      pendingQueries: this.#dns.pendingCount,
      bufferedBytes: this.#budget.usedBytes,
      fragmentBytes: this.#reassembly.heldBytes,
      framesIn: this.#framesIn,
      framesOut: this.#wire.sentFrames,
      upBytes: this.#traffic.upBytes,
      downBytes: this.#traffic.downBytes,
      counts: this.#counters.toRecord(),
    };
  }

  #serviceAt({ address, port }: Endpoint): ((events: StreamEvents) => HostStream) | undefined {
    if (address !== this.#dnsAddress || port !== DNS_PORT) return undefined;
    return (events) => {
      this.#options.host.soon(() => events.onConnect(formatIpv4(address)));
      return new DnsStream(this.#dns, events);
    };
  }

  #planFlush(): void {
    if (this.#flushIsPlanned) return;
    this.#flushIsPlanned = true;
    this.#options.host.soon(() => {
      this.#flushIsPlanned = false;
      this.flush();
    });
  }

  #fault(error: unknown): void {
    this.#counters.add("fault");
    this.#options.onFault?.(error);
  }
}

function ipv4(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new TypeError(`"${text}" is no IPv4 address.`);
  return address;
}

function mac(text: string): Mac {
  const address = parseMac(text);
  if (address === undefined) throw new TypeError(`"${text}" is no Ethernet address.`);
  return address;
}
