import type { Access } from "./access.ts";
import type { Ipv4 } from "./address.ts";
import type { Counters } from "./counters.ts";
import { FlowTable } from "./flow-table.ts";
import type { Host, HostStream, StreamEvents } from "./host.ts";
import { type Icmp, UNREACHABLE } from "./icmp.ts";
import type { Ipv4Packet } from "./ipv4.ts";
import type { Budget, Limits, TokenBucket } from "./limits.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { Gate } from "./tcp-host-side.ts";
import { TcpOpenings } from "./tcp-openings.ts";
import { ACK, FIN, RST, type Segment, type SegmentOutput, SYN } from "./tcp-segment.ts";
import { addSequence } from "./tcp-sequence.ts";
import type { SavedFlow, TcpFlow, TcpServices } from "./tcp-services.ts";
import type { Timer, Timers } from "./timers.ts";
import type { Traffic } from "./traffic.ts";
import type { Endpoint } from "./udp.ts";

/** Ended connections that are remembered; the oldest goes first. */
const MAX_TIME_WAIT = 1024;
/** When nobody says that the card has room again, or a bandwidth limit is reached. */
const RETRY_MS = 5;
/** RFC 6335, 6. */
const FIRST_DYNAMIC_PORT = 49_152;
const DYNAMIC_PORTS = 16_384;

export interface TcpOptions {
  host: Host;
  access: Access;
  icmp: Icmp;
  output: SegmentOutput;
  timers: Timers;
  budget: Budget;
  counters: Counters;
  limits: Limits;
  newFlows: TokenBucket;
  traffic: Traffic;
  mssBytes: number;
  cutsSegments: boolean;
  guest: Ipv4;
  gateway: Ipv4;
  /** An end on the relay itself, such as the name server. */
  serviceAt(remote: Endpoint): ((events: StreamEvents) => HostStream) | undefined;
  /** Something waits for `flush`. */
  wantsFlush(): void;
}

/** All TCP connections of a guest. */
export class Tcp implements TcpServices {
  readonly #options: TcpOptions;
  readonly #connections = new FlowTable<TcpConnection>();
  readonly #openings: TcpOpenings;
  readonly #timeWait = new Set<TcpFlow>();
  /** Those with something to send, in the order of their turns. */
  readonly #ready = new Set<TcpFlow>();
  readonly #unacknowledged = new Set<TcpFlow>();
  /** Held up by the bandwidth limit. */
  readonly #slowed = new Set<TcpFlow>();
  readonly #retry: Timer;
  readonly #upRetry: Timer;
  readonly limits: Limits;
  readonly timers: Timers;
  readonly budget: Budget;
  readonly output: SegmentOutput;
  readonly mssBytes: number;
  readonly cutsSegments: boolean;

  constructor(options: TcpOptions) {
    this.#options = options;
    this.#openings = new TcpOpenings(options.icmp);
    this.limits = options.limits;
    this.timers = options.timers;
    this.budget = options.budget;
    this.output = options.output;
    this.mssBytes = options.mssBytes;
    this.cutsSegments = options.cutsSegments;
    this.#retry = options.timers.create(() => options.wantsFlush());
    this.#upRetry = options.timers.create(() => this.#resumeSlowed());
  }

  /** Connections in use: without TIME_WAIT. */
  get size(): number {
    return this.#connections.size - this.#timeWait.size;
  }

  get connectingCount(): number {
    return this.#openings.size;
  }

  get timeWaitCount(): number {
    return this.#timeWait.size;
  }

  receive(packet: Ipv4Packet, segment: Segment): void {
    const guest = { address: packet.source, port: segment.sourcePort };
    const remote = { address: packet.destination, port: segment.destinationPort };
    const known = this.#connections.get(guest.port, remote.address, remote.port);
    const isSyn = (segment.flags & (SYN | ACK | RST | FIN)) === SYN;
    if (known !== undefined) {
      const isNew = isSyn && !known.isOpenedBy(segment) && known.givesWayTo(segment);
      if (!isNew) {
        known.receive(segment);
        return;
      }
      known.close(true);
    }
    if (isSyn) this.#open(packet, segment, guest, remote);
    else this.answerReset(segment, guest, remote);
  }

  /** A connection from outside; `port` is the guest's. */
  connectToGuest(port: number, connect: (events: StreamEvents) => HostStream): void {
    const { limits, guest, gateway, counters } = this.#options;
    const freePort = this.size < limits.connections ? this.#freePort(port, gateway) : undefined;
    if (freePort === undefined) {
      counters.add("refused: too many connections");
      connect(NO_EVENTS).destroy(true);
      return;
    }
    const remote = { address: gateway, port: freePort };
    const connection = this.#makeConnection({ address: guest, port }, remote);
    connection.openToGuest(connect(connection));
  }

  /** Sends what may be sent, each connection a segment in turn; then the acknowledgments that are still due. */
  flush(): void {
    const { wire } = this.output.ip;
    const { down } = this.#options.traffic;
    let room = wire.room();
    let waitMs = down.waitMs();
    while (this.#ready.size > 0 && room > 0 && waitMs === 0) {
      for (const flow of this.#ready) {
        this.#ready.delete(flow);
        if (!flow.sendOne()) continue;
        this.#ready.add(flow);
        waitMs = down.waitMs();
        if (--room <= 0 || waitMs > 0) break;
      }
    }
    if (this.#ready.size > 0) this.#retry.set(Math.max(RETRY_MS, waitMs));
    const flows = [...this.#unacknowledged];
    this.#unacknowledged.clear();
    for (const flow of flows) flow.acknowledgeIfDue();
  }

  /** Resets every connection. */
  closeAll(): void {
    for (const connection of this.#connections.all()) connection.abort();
  }

  /** The connections that the guest believes in. */
  save(): SavedFlow[] {
    return this.#connections.all().flatMap(({ saved }) => (saved === undefined ? [] : [saved]));
  }

  /** Ends connections of a guest that was saved with them. */
  reset(flows: readonly SavedFlow[]): void {
    for (const { guest, remote, sequence, acknowledgment } of flows)
      this.#sendReset(guest, remote, sequence, acknowledgment);
  }

  // What connections ask for.

  random32(): number {
    return this.#options.host.random32();
  }

  acceptsPeer(flow: TcpFlow, remoteAddress: string): boolean {
    if (this.#options.serviceAt(flow.remote) !== undefined) return true;
    return this.#options.access.acceptsPeer({ protocol: "tcp", ...flow.remote }, remoteAddress);
  }

  onConnected(flow: TcpFlow): void {
    this.#openings.delete(flow);
  }

  onConnectFailed(flow: TcpFlow, code: string, acknowledgment: number): void {
    this.#options.counters.add(`connect failed: ${code}`);
    if (this.#openings.fail(flow, code) === "reset")
      this.#sendReset(flow.guest, flow.remote, 0, acknowledgment);
  }

  wantsToSend(flow: TcpFlow): void {
    this.#ready.add(flow);
    this.#options.wantsFlush();
  }

  wantsToAcknowledge(flow: TcpFlow): void {
    this.#unacknowledged.add(flow);
    this.#options.wantsFlush();
  }

  /** RFC 9293, 3.10.7.1: there is no such connection. */
  answerReset(segment: Segment, guest: Endpoint, remote: Endpoint): void {
    if ((segment.flags & RST) !== 0) return;
    this.#options.counters.add("reset: no such connection");
    if ((segment.flags & ACK) !== 0) {
      this.#sendReset(guest, remote, segment.acknowledgment, undefined);
      return;
    }
    const length =
      segment.payload.length +
      ((segment.flags & SYN) !== 0 ? 1 : 0) +
      ((segment.flags & FIN) !== 0 ? 1 : 0);
    this.#sendReset(guest, remote, 0, addSequence(segment.sequence, length));
  }

  upAllowance(flow: TcpFlow): number {
    const { up } = this.#options.traffic;
    const waitMs = up.waitMs();
    if (waitMs === 0) return up.available;
    this.#slowed.add(flow);
    if (!this.#upRetry.isSet) this.#upRetry.set(waitMs);
    return 0;
  }

  onMovedUp(bytes: number): void {
    this.#options.traffic.onUp(bytes);
    this.#endIfSpent();
  }

  onSentDown(bytes: number): void {
    this.#options.traffic.onDown(bytes);
    this.#endIfSpent();
  }

  onTimeWait(flow: TcpFlow): void {
    this.#timeWait.add(flow);
    if (this.#timeWait.size <= MAX_TIME_WAIT) return;
    const [oldest] = this.#timeWait;
    if (oldest !== undefined) this.#find(oldest)?.close(true);
  }

  onClosed(flow: TcpFlow): void {
    for (const set of [this.#timeWait, this.#ready, this.#unacknowledged, this.#slowed])
      set.delete(flow);
    this.#openings.delete(flow);
    this.#connections.delete(flow.guest.port, flow.remote.address, flow.remote.port);
  }

  #find(flow: TcpFlow): TcpConnection | undefined {
    return this.#connections.get(flow.guest.port, flow.remote.address, flow.remote.port);
  }

  #open(packet: Ipv4Packet, syn: Segment, guest: Endpoint, remote: Endpoint): void {
    const { access, icmp, host, traffic, counters } = this.#options;
    const service = this.#options.serviceAt(remote);
    const destination = { protocol: "tcp", ...remote } as const;
    let gate: Gate | undefined;
    if (service === undefined) {
      const decision = access.decide(destination);
      if (decision.verdict === "deny") {
        access.refuse(destination, decision.reason);
        icmp.unreachable(packet, UNREACHABLE.prohibited);
        return;
      }
      if (decision.verdict === "inspect") gate = access.gateFor(destination);
      if (traffic.isSpent) {
        access.refuse(destination, "the total of bytes is used up");
        icmp.unreachable(packet, UNREACHABLE.prohibited);
        return;
      }
    }
    const full = this.#fullBecause();
    if (full !== undefined) {
      // No answer: the guest asks again after a second, and later, and finds room then.
      counters.add(`refused: ${full}`);
      return;
    }
    this.#options.newFlows.take(1);
    const connection = this.#makeConnection(guest, remote, gate);
    this.#openings.add(connection, packet);
    const target = access.targetOf(destination);
    connection.openByGuest(syn, service ?? ((events) => host.connectTcp(target, events)));
  }

  #fullBecause(): string | undefined {
    const { limits, newFlows } = this.#options;
    if (this.size >= limits.connections) return "too many connections";
    if (this.#openings.size >= limits.connecting) return "too many connections being made";
    return newFlows.waitMs() > 0 ? "too many new connections a second" : undefined;
  }

  #makeConnection(guest: Endpoint, remote: Endpoint, gate?: Gate): TcpConnection {
    const connection = new TcpConnection({ guest, remote, services: this, gate });
    this.#connections.set(guest.port, remote.address, remote.port, connection);
    return connection;
  }

  #sendReset(guest: Endpoint, remote: Endpoint, sequence: number, acknowledgment?: number): void {
    this.output.control({
      from: remote,
      to: guest,
      sequence,
      acknowledgment: acknowledgment ?? 0,
      flags: acknowledgment === undefined ? RST : RST | ACK,
      window: 0,
    });
  }

  #freePort(guestPort: number, gateway: Ipv4): number | undefined {
    const start = this.random32() % DYNAMIC_PORTS;
    for (let tried = 0; tried < DYNAMIC_PORTS; tried++) {
      const port = FIRST_DYNAMIC_PORT + ((start + tried) % DYNAMIC_PORTS);
      if (this.#connections.get(guestPort, gateway, port) === undefined) return port;
    }
    return undefined;
  }

  #resumeSlowed(): void {
    const flows = [...this.#slowed];
    this.#slowed.clear();
    for (const flow of flows) flow.drain();
    this.#options.wantsFlush();
  }

  #endIfSpent(): void {
    if (!this.#options.traffic.isSpent) return;
    this.#options.counters.add("ended: the total of bytes is used up");
    // Not from within one of them.
    this.#options.host.soon(() => this.closeAll());
  }
}

const NO_EVENTS: StreamEvents = {
  onConnect: () => {},
  onData: () => {},
  onEnd: () => {},
  onDrain: () => {},
  onError: () => {},
};
