import {
  type BufferChain,
  type Cpu,
  type StatefulDevice,
  takenChain,
  type VirtIO,
  type VirtQueue,
  virtioClass,
} from "./v86-internals.ts";

/**
 * A second virtio-9p device. v86 makes one, for the root; the guest's kernel gives a device to one mount only,
 * and the turn files need a mount of their own without caching. It is built from v86's own VirtIO class, on
 * ports and a PCI slot that v86 leaves free. Source: virtio 1.2, 5.13 (9P transport); v86 lib/9p.js.
 */

const PCI_SLOT = 0x0e;
const PORT_BASE = 0xe800;
const DEVICE_ID_9P = 0x1049;
const SUBSYSTEM_9P = 9;
const FEATURE_MOUNT_TAG = 0;
const FEATURE_RING_INDIRECT_DESC = 28;
const FEATURE_RING_EVENT_IDX = 29;
const FEATURE_VERSION_1 = 32;
const QUEUE_SIZE = 32;
/** size[4] type[1] tag[2] */
const HEADER_BYTES = 7;
/** The tag's bytes in the device's configuration; v86 uses as many. */
const MAX_TAG_BYTES = 254;

export interface NinePTransportOptions {
  tag: string;
  /** Longest request taken from the guest; what is longer stops the machine (see `onBroken`). */
  maxRequestBytes: number;
  /** Serves one request, whose bytes are valid during the call only; may reply at once or later, or say that the guest no longer waits. */
  handle(request: Uint8Array, reply: (response: Uint8Array) => void, onCancelled: () => void): void;
  /** The guest broke the rules of the ring: its kernel is hostile or damaged. */
  onBroken(reason: string): void;
}

export class VirtioNinep implements StatefulDevice {
  readonly #virtio: VirtIO;
  readonly #options: NinePTransportOptions;
  /** Requests that were taken from the ring and wait for an answer. */
  readonly #waiting = new Set<BufferChain>();
  /** First descriptors of those that waited when the state was saved, until they are asked again. */
  #unasked: number[] = [];
  /** Used again for each: programs write a few KiB at a time. */
  #request = new Uint8Array(8 << 10);
  /** Counts up when the device is reset or restored, so that a late reply to an earlier life is dropped. */
  #life = 0;

  constructor(cpu: Cpu, options: NinePTransportOptions) {
    this.#options = options;
    const tag = new TextEncoder().encode(options.tag);
    const VirtIOClass = virtioClass(cpu);
    this.#virtio = new VirtIOClass(cpu, {
      name: `virtio-9p-${options.tag}`,
      pci_id: PCI_SLOT << 3,
      device_id: DEVICE_ID_9P,
      subsystem_device_id: SUBSYSTEM_9P,
      common: {
        initial_port: PORT_BASE,
        queues: [{ size_supported: QUEUE_SIZE, notify_offset: 0 }],
        features: [
          FEATURE_MOUNT_TAG,
          FEATURE_RING_INDIRECT_DESC,
          FEATURE_RING_EVENT_IDX,
          FEATURE_VERSION_1,
        ],
        on_driver_ok: () => {},
      },
      notification: {
        initial_port: PORT_BASE + 0x100,
        single_handler: false,
        handlers: [() => this.#serve()],
      },
      isr_status: { initial_port: PORT_BASE - 0x100 },
      device_specific: {
        initial_port: PORT_BASE - 0x200,
        struct: [
          { bytes: 2, name: "tag length", read: () => tag.length, write: () => {} },
          ...Array.from({ length: MAX_TAG_BYTES }, (_, index) => ({
            bytes: 1 as const,
            name: `tag byte ${index}`,
            read: () => tag[index] ?? 0,
            write: () => {},
          })),
        ],
      },
    });
  }

  get_state(): unknown[] {
    return [this.#virtio, [...this.#waiting].map((chain) => chain.head_idx)];
  }

  set_state(state: unknown[]): void {
    this.#life++;
    this.#waiting.clear();
    this.#virtio.set_state(state[0] as unknown[]);
    this.#unasked = state[1] as number[];
  }

  /** After a state was restored, and the server's with it: what waited then waits again. */
  askAgain(): void {
    const queue = this.#virtio.queues[0];
    const heads = this.#unasked;
    this.#unasked = [];
    if (queue !== undefined) for (const head of heads) this.#ask(queue, takenChain(queue, head));
  }

  #serve(): void {
    const queue = this.#virtio.queues[0];
    if (queue === undefined) return;
    while (queue.has_request()) if (!this.#ask(queue, queue.pop_request())) return;
    queue.notify_me_after(0);
  }

  /** False when the guest broke the rules. */
  #ask(queue: VirtQueue, chain: BufferChain): boolean {
    const request = this.#read(chain);
    if (request === undefined) {
      this.#options.onBroken(`9P request of ${chain.length_readable} bytes`);
      return false;
    }
    const life = this.#life;
    const giveBack = (response: Uint8Array): void => {
      if (life !== this.#life) return;
      this.#waiting.delete(chain);
      chain.set_next_blob(response);
      queue.push_reply(chain);
      queue.flush_replies();
    };
    this.#waiting.add(chain);
    // A flushed request's buffers go back unused, as QEMU does it, or the ring would run out of them.
    this.#options.handle(request, giveBack, () => giveBack(new Uint8Array(0)));
    return true;
  }

  /** The request's bytes, until the next is read; undefined where its length cannot be a 9P message's. */
  #read(chain: BufferChain): Uint8Array | undefined {
    const length = chain.length_readable;
    if (!(length >= HEADER_BYTES && length <= this.#options.maxRequestBytes)) return undefined;
    if (this.#request.length < length) this.#request = new Uint8Array(length);
    const request = this.#request.subarray(0, length);
    return chain.get_next_blob(request) === length ? request : undefined;
  }
}
