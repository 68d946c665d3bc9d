import type { Mac } from "./address.ts";
import type { Counters } from "./counters.ts";
import { ETHERNET_HEADER_BYTES, write16 } from "./ethernet.ts";

/** What a card must know to let the guest's kernel cut a frame itself (virtio 1.2, 5.1.6.4). */
export interface FrameInfo {
  /** Payload bytes of each segment in a frame larger than one, else 0. */
  segmentBytes: number;
}

/** A frame to the guest. Valid during the call only; 12 bytes before it belong to it too, for a virtio-net header. */
export type SendFrame = (frame: Uint8Array, info: FrameInfo) => void;

const WHOLE: FrameInfo = { segmentBytes: 0 };
/** 14 for virtio-net's 12: then IP headers lie at multiples of four, which checksums like. */
const HEADROOM_BYTES = 14;
/** Receive descriptors left to answers that nobody sends again: ARP, DHCP, DNS, ICMP, RST. */
const RESERVED_DESCRIPTORS = 2;
const MAX_WAITING_FRAMES = 256;
const MAX_WAITING_BYTES = 1024 * 1024;

export interface WireOptions {
  gatewayMac: Mac;
  /** Known beforehand, or else learned from the guest's frames. */
  guestMac: Mac | undefined;
  send: SendFrame;
  /** Free receive descriptors of the card. */
  canSend: () => number;
  /** Whether bulk data may go out, too. */
  takesData: () => boolean;
  counters: Counters;
}

/**
 * The way to the guest's card. A frame is built in place, in one buffer for all: whoever sends fills it from
 * `ETHERNET_HEADER_BYTES` on and calls `transmit`.
 */
export class Wire {
  readonly frame: Uint8Array;
  readonly #options: WireOptions;
  #guestMac: Mac;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isClosed = false;
  sentFrames = 0;
  sentBytes = 0;

  constructor(options: WireOptions) {
    this.#options = options;
    const bytes = ETHERNET_HEADER_BYTES + 0xffff;
    this.frame = new Uint8Array(new ArrayBuffer(HEADROOM_BYTES + bytes + 8), HEADROOM_BYTES, bytes);
    this.frame.set(options.gatewayMac, 6);
    this.#guestMac = options.guestMac ?? new Uint8Array(6).fill(0xff);
  }

  get guestMac(): Mac {
    return this.#guestMac;
  }

  /** Where frames go from now on, unless the guest's address was given. */
  learn(frame: Uint8Array, at: number): void {
    if (this.#options.guestMac !== undefined) return;
    if (this.#guestMac.every((byte, index) => byte === frame[at + index])) return;
    this.#guestMac = frame.slice(at, at + 6);
  }

  /** Frames of bulk data that may go out now. */
  room(): number {
    if (this.#waiting.length > 0 || !this.#options.takesData()) return 0;
    return Math.max(0, this.#options.canSend() - RESERVED_DESCRIPTORS);
  }

  /** Bulk data: the caller has asked for room. */
  transmit(length: number, ethertype: number, info: FrameInfo = WHOLE): void {
    this.#address(this.#guestMac, ethertype);
    this.#send(this.frame.subarray(0, length), info);
  }

  /** An answer: waits for room when there is none. */
  answer(length: number, ethertype: number, destination: Mac = this.#guestMac): void {
    this.#address(destination, ethertype);
    const frame = this.frame.subarray(0, length);
    if (this.#waiting.length === 0 && this.#options.canSend() > 0) {
      this.#send(frame, WHOLE);
      return;
    }
    // Kept with the same room in front.
    const kept = new Uint8Array(new ArrayBuffer(HEADROOM_BYTES + length), HEADROOM_BYTES, length);
    kept.set(frame);
    this.#waiting.push(kept);
    this.#waitingBytes += length;
    while (this.#waiting.length > MAX_WAITING_FRAMES || this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#waitingBytes -= this.#waiting.shift()?.length ?? 0;
      this.#options.counters.add("dropped: the guest takes no frames");
    }
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#options.canSend() > 0) {
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      this.#waitingBytes -= frame.length;
      this.#send(frame, WHOLE);
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  #address(destination: Mac, ethertype: number): void {
    this.frame.set(destination, 0);
    this.frame.set(this.#options.gatewayMac, 6);
    write16(this.frame, 12, ethertype);
  }

  #send(frame: Uint8Array, info: FrameInfo): void {
    if (this.#isClosed) return;
    this.sentFrames++;
    this.sentBytes += frame.length;
    this.#options.send(frame, info);
  }
}
