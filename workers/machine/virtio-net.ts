import {
  type BufferChain,
  type Cpu,
  type StatefulDevice,
  type VirtIO,
  type VirtQueue,
  virtioClass,
} from "./v86-internals.ts";

/**
 * The machine's network card. v86's own takes one frame of at most its MTU at a time, with an interrupt each; this one
 * lets the guest hand over and take TCP data in pieces of 64 KiB and leave the checksums out, which is where the
 * guest's time went. Source: virtio 1.2, 5.1 (network device); v86 src/virtio_net.js.
 */

const PCI_SLOT = 0x0a;
const PORT_BASE = 0xc800;
const DEVICE_ID_NET = 0x1041;
const SUBSYSTEM_NET = 1;
const FEATURE = {
  /** Frames from the guest may lack checksums, and be of many TCP segments. */
  CSUM: 0,
  HOST_TSO4: 11,
  /** The same to the guest, which may give small buffers for them. */
  GUEST_CSUM: 1,
  GUEST_TSO4: 7,
  MRG_RXBUF: 15,
  MTU: 3,
  MAC: 5,
  STATUS: 16,
  RING_INDIRECT_DESC: 28,
  VERSION_1: 32,
} as const;
const STATUS_LINK_UP = 1;
const RECEIVE = 0;
const TRANSMIT = 1;
const QUEUE_SIZE = 512;
/** VIRTQ_USED_F_NO_NOTIFY (2.7.10). */
const NO_NOTIFY = 1;

/** Locally administered. Every machine has a network of its own. */
export const CARD_MAC = "02:4d:6f:6d:00:02";
const MAC_BYTES = CARD_MAC.split(":").map((byte) => Number.parseInt(byte, 16));

/** `struct virtio_net_hdr` (5.1.6), in front of every frame. */
export const HEADER_BYTES = 12;
const FLAG_DATA_VALID = 2;
const GSO_TCPV4 = 1;
const ETHERNET_HEADER_BYTES = 14;
const MAX_FRAME_BYTES = ETHERNET_HEADER_BYTES + 0xffff;
/** Linux gives merged buffers of a full Ethernet frame and the header at least. */
const LEAST_BUFFER_BYTES = 1514 + HEADER_BYTES;
const MOST_BUFFERS = Math.ceil((MAX_FRAME_BYTES + HEADER_BYTES) / LEAST_BUFFER_BYTES);

export interface CardOptions {
  mtuBytes: number;
  /**
   * The guest has handed over frames, or buffers for some: in the middle of its time, so nothing may be taken or sent
   * at once. Said once until the next `take`.
   */
  onWork(): void;
  /** Called for each ring of the card before it is used. */
  prepare?(queue: VirtQueue): void;
  /** The guest broke the rules of the rings: its kernel is hostile or damaged. */
  onBroken(reason: string): void;
}

export class VirtioNet implements StatefulDevice {
  readonly #virtio: VirtIO;
  readonly #options: CardOptions;
  #isFlushPlanned = false;

  constructor(cpu: Cpu, options: CardOptions) {
    this.#options = options;
    const VirtIOClass = virtioClass(cpu);
    this.#virtio = new VirtIOClass(cpu, {
      name: "virtio-net",
      pci_id: PCI_SLOT << 3,
      device_id: DEVICE_ID_NET,
      subsystem_device_id: SUBSYSTEM_NET,
      common: {
        initial_port: PORT_BASE,
        queues: [
          { size_supported: QUEUE_SIZE, notify_offset: RECEIVE },
          { size_supported: QUEUE_SIZE, notify_offset: TRANSMIT },
        ],
        features: Object.values(FEATURE),
        on_driver_ok: () => {},
      },
      notification: {
        initial_port: PORT_BASE + 0x100,
        single_handler: false,
        handlers: [RECEIVE, TRANSMIT].map((queue) => () => this.#guarded(() => this.#wake(queue))),
      },
      isr_status: { initial_port: PORT_BASE - 0x100 },
      device_specific: {
        initial_port: PORT_BASE - 0x200,
        struct: [
          ...MAC_BYTES.map((byte, index) => readOnly(1, `mac_${index}`, byte)),
          readOnly(2, "status", STATUS_LINK_UP),
          readOnly(2, "max_pairs", 1),
          readOnly(2, "mtu", options.mtuBytes),
        ],
      },
    });
    for (const queue of this.#virtio.queues) options.prepare?.(queue);
  }

  /** Frames that the guest has room for, whatever their size. */
  get room(): number {
    const queue = this.#virtio.queues[RECEIVE];
    if (!queue?.is_configured()) return 0;
    return Math.floor(queue.count_requests() / MOST_BUFFERS);
  }

  /**
   * A frame to the guest; it has been asked for room. `HEADER_BYTES` in front of the frame are overwritten.
   *
   * @param segmentBytes TCP payload of each segment in a frame of many, else 0
   */
  send(frame: Uint8Array, segmentBytes: number): void {
    const whole = new Uint8Array(
      frame.buffer,
      frame.byteOffset - HEADER_BYTES,
      HEADER_BYTES + frame.length,
    );
    whole.fill(0, 0, HEADER_BYTES);
    whole[0] = FLAG_DATA_VALID;
    if (segmentBytes > 0) {
      whole[1] = GSO_TCPV4;
      whole[4] = segmentBytes & 255;
      whole[5] = segmentBytes >>> 8;
    }
    this.#guarded(() => this.#giveFrame(whole));
  }

  /**
   * Frames of the guest's, whose bytes are the taker's. Between two slices of its time: so its kernel is interrupted
   * once for all of them, and finds them together when it looks for more to put into one.
   */
  take(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    this.#guarded(() => {
      for (const queue of this.#virtio.queues) {
        if (queue.is_configured()) queue.used_set_flags(0);
      }
      const queue = this.#virtio.queues[TRANSMIT];
      if (!queue?.is_configured()) return;
      // A sound driver has no more under way than its ring holds.
      for (let taken = 0; taken < QUEUE_SIZE && queue.has_request(); taken++) {
        const chain = queue.pop_request();
        const frame = readFrame(chain);
        queue.push_reply(chain);
        if (frame !== undefined) frames.push(frame);
      }
      queue.flush_replies();
      if (queue.has_request()) this.#options.onWork();
    });
    return frames;
  }

  get_state(): unknown[] {
    return [this.#virtio];
  }

  set_state(state: unknown[]): void {
    this.#virtio.set_state(state[0] as unknown[]);
  }

  #giveFrame(whole: Uint8Array): void {
    const queue = this.#virtio.queues[RECEIVE];
    if (queue === undefined) return;
    const chains = takeBuffers(queue, whole.length);
    // The guest took some away since it was asked: what is lost is sent again.
    if (chains === undefined) return;
    whole[10] = chains.length;
    let at = 0;
    for (const chain of chains) {
      at += chain.set_next_blob(whole.subarray(at, at + chain.length_writable));
      queue.push_reply(chain);
    }
    this.#planFlush(queue);
  }

  /** One interrupt for all frames of a batch. */
  #planFlush(queue: VirtQueue): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    queueMicrotask(() => {
      this.#isFlushPlanned = false;
      this.#guarded(() => queue.flush_replies());
    });
  }

  /** What comes until the next `take` need not be told: each word of the guest's ends compiled code. */
  #wake(index: number): void {
    const queue = this.#virtio.queues[index];
    if (!queue?.is_configured()) return;
    queue.used_set_flags(NO_NOTIFY);
    this.#options.onWork();
  }

  /** v86 reaches for whatever address the guest names. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onBroken(
        `the network card failed: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
  }
}

/** Buffers for so many bytes, or none. */
function takeBuffers(queue: VirtQueue, bytes: number): BufferChain[] | undefined {
  const chains: BufferChain[] = [];
  for (let room = 0; room < bytes; ) {
    if (!queue.has_request()) {
      // Back to the guest, unused.
      for (const chain of chains) queue.push_reply(chain);
      return undefined;
    }
    const chain = queue.pop_request();
    chains.push(chain);
    const writable = chain.length_writable;
    if (!(writable >= HEADER_BYTES && writable <= 1 << 20)) {
      throw new Error(`a receive buffer of ${writable} bytes`);
    }
    room += writable;
  }
  return chains;
}

/** Without virtio's header: what it would tell is of no use to a relay that cuts no segments. */
function readFrame(chain: BufferChain): Uint8Array | undefined {
  const length = chain.length_readable;
  if (!(length > HEADER_BYTES && length <= HEADER_BYTES + MAX_FRAME_BYTES)) return undefined;
  // Filled whole, or thrown away. Small ones must not pin a buffer that they share with others.
  const whole = length < 4096 ? new Uint8Array(length) : Buffer.allocUnsafeSlow(length);
  if (chain.get_next_blob(whole) !== length) return undefined;
  return whole.subarray(HEADER_BYTES);
}

function readOnly(bytes: 1 | 2, name: string, value: number) {
  return { bytes, name, read: () => value, write: () => {} };
}
