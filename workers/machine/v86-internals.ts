/**
 * The parts of v86 0.5.462 that its typings leave out and a machine needs. Release builds keep these property
 * names; `checkInternals` fails with a sentence when a later v86 does not.
 */

/** src/virtio.js `VirtQueueBufferChain`: one request of the guest's driver. */
export interface BufferChain {
  /** Its first descriptor, which names it among those that are under way. */
  head_idx: number;
  /** Sum of the lengths that the guest wrote into its descriptors: untrusted, may be negative or huge. */
  length_readable: number;
  length_writable: number;
  get_next_blob(destination: Uint8Array): number;
  set_next_blob(source: Uint8Array): number;
}

export interface VirtQueue {
  size: number;
  /** Where its descriptors are in guest RAM. */
  desc_addr: number;
  /** Counts the requests that were taken, modulo 2^16. */
  avail_last_idx: number;
  avail_get_entry(position: number): number;
  has_request(): boolean;
  count_requests(): number;
  /** An address, or 0: no boolean. */
  is_configured(): number;
  pop_request(): BufferChain;
  push_reply(chain: BufferChain): void;
  flush_replies(): void;
  notify_me_after(skipped: number): void;
  /** virtio 1.2, 2.7.8: flags of the used ring. */
  used_set_flags(flags: number): void;
}

export interface VirtIO {
  queues: VirtQueue[];
  /** Why the guest is interrupted; 0 when it has asked. */
  isr_status: number;
  pci_id: number;
  get_state(): unknown[];
  set_state(state: unknown[]): void;
  reset(): void;
}

interface PortField {
  bytes: 1 | 2 | 4;
  name: string;
  read(): number;
  write(data: number): void;
}

/** src/virtio.js `VirtIO` constructor options. */
export interface VirtIOOptions {
  name: string;
  pci_id: number;
  device_id: number;
  subsystem_device_id: number;
  common: {
    initial_port: number;
    queues: { size_supported: number; notify_offset: number }[];
    features: number[];
    on_driver_ok(): void;
  };
  notification: {
    initial_port: number;
    single_handler: boolean;
    handlers: ((queue: number) => void)[];
  };
  isr_status: { initial_port: number };
  device_specific: { initial_port: number; struct: PortField[] };
}

export type VirtIOConstructor = new (cpu: Cpu, options: VirtIOOptions) => VirtIO;

/** A device as src/state.js saves and restores it. */
export interface StatefulDevice {
  get_state(): unknown[];
  set_state(state: unknown[]): void;
}

type LiveView = Int32Array | Uint16Array | Uint8Array;

/** src/pci.js `PCI`. */
export interface Pci {
  /** By `pci_id`; most are missing. */
  devices: (object | undefined)[];
  raise_irq(pciId: number): void;
  /** Looked up at each call. */
  lower_irq(pciId: number): void;
}

/** src/cpu.js `CPU`. */
export interface Cpu {
  memory_size: Int32Array;
  /** Guest RAM: a slow proxy that finds the wasm memory again when it has grown. */
  mem8: Uint8Array;
  mem32s: Int32Array;
  in_hlt: Uint8Array;
  /** Go on now, where the next slice of time was planned for later. */
  stop_idling(): void;
  /** Looked up at each call of the emulator's wasm. Answers with the milliseconds until one is due. */
  run_hardware_timers(isAcpiEnabled: boolean, nowMs: number): number;
  /** Have the processor take what interrupts wait, if it takes any now. */
  handle_irqs(): void;
  instruction_counter: Int32Array;
  last_result: LiveView;
  fpu_status_word: LiveView;
  mxcsr: LiveView;
  wm: { exports: Record<string, unknown> };
  devices: {
    virtio_9p: StatefulDevice & { virtio: VirtIO };
    virtio_console: StatefulDevice & { virtio: VirtIO };
    vga: StatefulDevice;
    pit: StatefulDevice & {
      counter_start_time: Float64Array | number[];
      counter_start_value: ArrayLike<number>;
    };
    uart1: { input: number[] };
    pci: Pci;
  };
  /** Low and high word, as of the last `store_current_tsc`. */
  current_tsc: Uint32Array;
  store_current_tsc(): void;
  set_tsc(low: number, high: number): void;
  get_state(): unknown[];
  set_state(state: unknown[]): void;
  pack_memory(): {
    packed_memory: Uint8Array;
    bitmap: { get_buffer(): ArrayBuffer };
  };
  unpack_memory(bitmap: unknown, packed: Uint8Array): void;
  zero_memory(start: number, bytes: number): void;
  write_blob(bytes: Uint8Array, start: number): void;
  jit_clear_cache(): void;
  jit_dirty_cache?(start: number, end: number): void;
}

/** The `V86` object, as far as it is used here. */
export interface V86Emulator {
  v86: {
    cpu: Cpu;
    /** The devices' end of the bus: what is sent here arrives at the listeners of the other. */
    bus: {
      send(event: string, data?: unknown): void;
      register(event: string, listener: (data: Uint8Array) => void, self: unknown): void;
    };
  };
  /** src/browser/fetch_network.js, where the machine was made with it. */
  network_adapter?: {
    fetch(url: string, options: RequestInit): Promise<Response>;
    tcp_conn: Record<string, unknown>;
  };
  bus: { send(event: string, data?: unknown): void };
  add_listener(event: string, listener: (data: never) => void): void;
  run(): Promise<void>;
  stop(): Promise<void>;
  is_running(): boolean;
  save_state(): Promise<ArrayBuffer>;
  restore_state(state: ArrayBuffer): Promise<void>;
  serial_send_bytes(serial: number, data: Uint8Array): void;
  destroy(): Promise<void>;
}

/** Address of so many bytes of the emulator's own memory; what stands in them is left from before. */
export function allocate({ wm }: Pick<Cpu, "wm">, bytes: number): number {
  return (wm.exports.v86_malloc as (bytes: number) => number)(bytes) >>> 0;
}

/** Set a global that was added to the emulator (`WasmModule.addGlobal`). */
export function setGlobal({ wm }: Pick<Cpu, "wm">, exportName: string, value: number): void {
  (wm.exports[exportName] as { value: number }).value = value;
}

/** v86 exports no VirtIO class; the device it made for the root has it. */
export function virtioClass(cpu: Cpu): VirtIOConstructor {
  return cpu.devices.virtio_9p.virtio.constructor as VirtIOConstructor;
}

/**
 * A request that was taken from the ring before the ring was saved, by its first descriptor. v86 exports no class of
 * chains either, so it is taken once more.
 */
export function takenChain(queue: VirtQueue, head: number): BufferChain {
  const { avail_last_idx: next, avail_get_entry: getEntry } = queue;
  queue.avail_get_entry = () => head;
  try {
    return queue.pop_request();
  } finally {
    queue.avail_get_entry = getEntry;
    queue.avail_last_idx = next;
  }
}

/** Throws with the names that this v86 lacks. */
export function checkInternals(cpu: Cpu): void {
  const queue = cpu.devices?.virtio_9p?.virtio?.queues[0];
  const missing = [
    ["mem8", cpu.mem8?.buffer instanceof ArrayBuffer],
    ["mem32s", cpu.mem32s?.buffer instanceof ArrayBuffer],
    ["virtio_9p.virtio", cpu.devices?.virtio_9p?.virtio !== undefined],
    ["virtio_console.virtio", cpu.devices?.virtio_console?.virtio !== undefined],
    ["VirtIO.isr_status", cpu.devices?.virtio_9p?.virtio?.isr_status === 0],
    ["VirtIO.pci_id", typeof cpu.devices?.virtio_9p?.virtio?.pci_id === "number"],
    ["pci.devices", Array.isArray(cpu.devices?.pci?.devices)],
    ["pci.raise_irq", typeof cpu.devices?.pci?.raise_irq === "function"],
    ["pci.lower_irq", typeof cpu.devices?.pci?.lower_irq === "function"],
    ["vga.get_state", typeof cpu.devices?.vga?.get_state === "function"],
    ["in_hlt", cpu.in_hlt?.length === 1],
    ["stop_idling", typeof cpu.stop_idling === "function"],
    ["run_hardware_timers", typeof cpu.run_hardware_timers === "function"],
    ["VirtQueue.avail_get_entry", typeof queue?.avail_get_entry === "function"],
    ["VirtQueue.avail_last_idx", typeof queue?.avail_last_idx === "number"],
    ["VirtQueue.desc_addr", typeof queue?.desc_addr === "number"],
    ["VirtQueue.size", typeof queue?.size === "number"],
    ["pit.counter_start_time", cpu.devices?.pit?.counter_start_time !== undefined],
    ["pit.counter_start_value", cpu.devices?.pit?.counter_start_value !== undefined],
    ["handle_irqs", typeof cpu.handle_irqs === "function"],
    ["current_tsc", cpu.current_tsc?.length === 2],
    ["store_current_tsc", typeof cpu.store_current_tsc === "function"],
    ["set_tsc", typeof cpu.set_tsc === "function"],
    ["get_state", typeof cpu.get_state === "function"],
    ["set_state", typeof cpu.set_state === "function"],
    ["pack_memory", typeof cpu.pack_memory === "function"],
    ["unpack_memory", typeof cpu.unpack_memory === "function"],
    ["zero_memory", typeof cpu.zero_memory === "function"],
    ["write_blob", typeof cpu.write_blob === "function"],
    ["full_clear_tlb", typeof cpu.wm?.exports?.full_clear_tlb === "function"],
    ["set_jit_config", typeof cpu.wm?.exports?.set_jit_config === "function"],
    ["v86_malloc", typeof cpu.wm?.exports?.v86_malloc === "function"],
    ["jit_clear_cache", typeof cpu.jit_clear_cache === "function"],
    ["jit_dirty_cache", typeof cpu.wm?.exports?.jit_dirty_cache === "function"],
  ].flatMap(([name, found]) => (found === true ? [] : [name]));
  if (missing.length > 0) {
    throw new Error(
      `this version of v86 is not the one Mom was written for: no ${missing.join(", ")}`,
    );
  }
}
