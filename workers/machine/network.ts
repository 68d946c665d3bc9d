import {
  nodeHost,
  Policy,
  type Refusal,
  Relay,
  type RelayStats,
  type SavedFlow,
} from "../../relay/index.ts";
import type { NetworkParameters } from "./messages.ts";
import { CARD_MAC } from "./virtio-net.ts";

/** The card, as the network uses it. */
export interface Card {
  /** Frames that the guest has room for. */
  readonly room: number;
  send(frame: Uint8Array, segmentBytes: number): void;
}

/** What the card is plugged into. */
export interface Network {
  /** A frame of the guest's, in the middle of its time. */
  receive(frame: Uint8Array): void;
  /** There is room for frames to the guest. */
  planBatch(): void;
  /** The guest runs. */
  resume(): void;
  /** The guest stands still: from here on nothing is written into its memory. */
  pause(): void;
  /** The connections that the guest believes in. The guest must stand still. */
  save(): SavedFlow[];
  /** Another sandbox is in the machine, whose connections have ended meanwhile. */
  enter(flows: readonly SavedFlow[]): void;
  /** What a turn may send and receive counts from here on. */
  startTurn(): void;
  readonly stats: RelayStats;
}

export interface NetworkOptions {
  parameters: NetworkParameters;
  card: Card;
  mtuBytes: number;
  onRefused(refusal: Refusal): void;
  onFault(error: unknown): void;
}

/**
 * The relay behind the machine's card. It lives as long as the machine's process; what is in it belongs to the sandbox
 * that is in the machine.
 */
export class RelayNetwork implements Network {
  readonly #relay: Relay;
  /** From the guest: handed on between two slices of its time. */
  #frames: Uint8Array[] = [];
  #isBatchPlanned = false;
  #isPaused = true;

  constructor({ parameters, card, mtuBytes, onRefused, onFault }: NetworkOptions) {
    const { backend, rules, hostPorts, limits, nameServers } = parameters;
    // Without a network, too, a guest is told at once that there is nothing.
    const policy = backend === "none" ? Policy.none() : Policy.parse(rules, hostPorts);
    this.#relay = new Relay({
      // This process may start no program, and so sends no ping outside.
      host: nodeHost({ nameServers }),
      policy,
      limits,
      guestMac: CARD_MAC,
      mtu: mtuBytes,
      offload: { checksumsFromGuest: true, checksumsToGuest: true, segmentsToGuest: true },
      send: (frame, { segmentBytes }) => card.send(frame, segmentBytes),
      // A guest that stands still may be being saved.
      canSend: () => (this.#isPaused ? 0 : card.room),
      onRefused,
      onFault,
    });
    this.#relay.pause();
  }

  receive(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.planBatch();
  }

  planBatch(): void {
    if (this.#isBatchPlanned) return;
    this.#isBatchPlanned = true;
    setImmediate(() => {
      this.#isBatchPlanned = false;
      this.#relayFrames();
      this.#relay.flush();
    });
  }

  resume(): void {
    this.#isPaused = false;
    this.#relay.resume();
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
    this.#frames = [];
    this.#relay.closeAll();
    this.#relay.resetFlows(flows);
  }

  startTurn(): void {
    this.#relay.resetQuota();
  }

  get stats(): RelayStats {
    return this.#relay.stats();
  }

  #relayFrames(): void {
    const frames = this.#frames;
    this.#frames = [];
    for (const frame of frames) this.#relay.receive(frame);
  }
}
