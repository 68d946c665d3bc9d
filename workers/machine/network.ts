import {
  type Forward,
  type ForwardPlace,
  forward,
  nodeHost,
  Policy,
  type Refusal,
  Relay,
  type RelayStats,
  type SavedFlow,
} from "../../relay/index.ts";
import { MachineError } from "./api.ts";
import { GuestBacklog, type GuestProcessor } from "./guest-backlog.ts";
import type { NetworkParameters, PublishedPort, PublishedSocket } from "./messages.ts";
import { CARD_MAC } from "./virtio-net.ts";

/** The card, as the network uses it. */
export interface Card {
  /** Frames that the guest has room for. */
  readonly room: number;
  send(frame: Uint8Array, segmentBytes: number): void;
  /** Frames that the guest has handed over. */
  take(): Uint8Array[];
}

/** What the card is plugged into. */
export interface Network {
  /** The card has frames of the guest's, or room for some to it: they go on between two slices of its time. */
  planBatch(): void;
  /** The guest runs. */
  resume(): void;
  /** The guest stands still: from here on nothing is written into its memory. */
  pause(): void;
  /** The connections that the guest believes in. The guest must stand still. */
  save(): SavedFlow[];
  /** Another sandbox is in the machine, whose connections have ended meanwhile. */
  enter(flows: readonly SavedFlow[]): void;
  /** Joins a port of the host's to one of the guest's, until `enter`. @throws MachineError PUBLISH_FAILED, NO_WAY_IN */
  publish(port: PublishedPort): Promise<PublishedPort>;
  /** The same with a socket of the host's. @throws MachineError PUBLISH_FAILED, NO_WAY_IN */
  publishSocket(socket: PublishedSocket): Promise<void>;
  /** What a turn may send and receive counts from here on. */
  startTurn(): void;
  readonly stats: RelayStats;
}

export interface NetworkOptions {
  parameters: NetworkParameters;
  card: Card;
  mtuBytes: number;
  processor: GuestProcessor;
  /** Whether an address outside answers; this process may start no program that asks. */
  ping?(address: string): Promise<boolean>;
  onRefused(refusal: Refusal): void;
  onFault(error: unknown): void;
}

/**
 * The relay behind the machine's card. It lives as long as the machine's process; what is in it belongs to the sandbox
 * that is in the machine.
 */
export class RelayNetwork implements Network {
  readonly #relay: Relay;
  readonly #card: Card;
  readonly #backlog: GuestBacklog;
  #forwards: Forward[] = [];
  /** How many sandboxes have been in the machine. */
  #entries = 0;
  #isBatchPlanned = false;
  #isPaused = true;

  constructor({ parameters, card, mtuBytes, processor, ping, onRefused, onFault }: NetworkOptions) {
    const { backend, rules, hostPorts, limits, nameServers } = parameters;
    // Without a network, too, a guest is told at once that there is nothing.
    const policy = backend === "none" ? Policy.none() : Policy.parse(rules, hostPorts);
    this.#card = card;
    this.#backlog = new GuestBacklog(processor);
    this.#relay = new Relay({
      host: nodeHost({ nameServers, ping }),
      policy,
      limits,
      guestMac: CARD_MAC,
      mtu: mtuBytes,
      offload: { checksumsFromGuest: true, checksumsToGuest: true, segmentsToGuest: true },
      send: (frame, { segmentBytes }) => {
        this.#backlog.onSent(frame.length);
        card.send(frame, segmentBytes);
      },
      // A guest that stands still may be being saved.
      canSend: () => (this.#isPaused ? 0 : card.room),
      takesData: () => this.#backlog.takesMore(),
      onRefused,
      onFault,
    });
    this.#relay.pause();
  }

  planBatch(): void {
    if (this.#isBatchPlanned) return;
    this.#isBatchPlanned = true;
    setImmediate(() => {
      this.#isBatchPlanned = false;
      if (!this.#isPaused) this.#relayFrames();
      this.#relay.flush();
      // The guest says nothing when it has worked it off.
      if (!this.#isPaused && !this.#backlog.takesMore()) this.planBatch();
    });
  }

  resume(): void {
    this.#isPaused = false;
    this.#relay.resume();
    // What another sandbox's card said it need not tell.
    this.planBatch();
  }

  pause(): void {
    this.#isPaused = true;
    // What it has handed over is on its way; answers wait.
    this.#relayFrames();
    this.#relay.pause();
  }

  save(): SavedFlow[] {
    return this.#relay.saveFlows();
  }

  enter(flows: readonly SavedFlow[]): void {
    this.#entries++;
    // Whoever knows a port of one sandbox must not find another behind it.
    for (const published of this.#forwards.splice(0)) void published.close();
    this.#relay.closeAll();
    this.#backlog.clear();
    this.#relay.resetFlows(flows);
  }

  async publish({ address, port, guestPort }: PublishedPort): Promise<PublishedPort> {
    const published = await this.#forward(
      guestPort,
      { address, port },
      `The port ${address}:${port}`,
    );
    return { address, port: published.port, guestPort };
  }

  async publishSocket({ path, guestPort }: PublishedSocket): Promise<void> {
    await this.#forward(guestPort, { path }, `The socket ${path}`);
  }

  async #forward(guestPort: number, place: ForwardPlace, name: string): Promise<Forward> {
    const entries = this.#entries;
    let published: Forward;
    try {
      published = await forward({ relay: this.#relay, guestPort, place });
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : cause;
      const why = code === "EADDRINUSE" ? "another program listens there" : String(code);
      const message = `${name} of the host cannot be taken: ${why}.`;
      throw new MachineError("PUBLISH_FAILED", message, { cause });
    }
    if (entries === this.#entries) {
      this.#forwards.push(published);
      return published;
    }
    await published.close();
    throw new MachineError("PUBLISH_FAILED", "Another sandbox has come into the machine.");
  }

  startTurn(): void {
    this.#relay.resetQuota();
  }

  get stats(): RelayStats {
    return this.#relay.stats();
  }

  #relayFrames(): void {
    for (const frame of this.#card.take()) this.#relay.receive(frame);
  }
}
