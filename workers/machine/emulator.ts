import { V86 } from "v86";
import { PAGE_BYTES } from "./base-pages.ts";
import type { EmulatorCode } from "./emulator-code.ts";
import { type EmulatorWasm, emulatorWasm } from "./emulator-wasm.ts";
import { FETCH_DEVICE, FetchNetwork } from "./fetch-network.ts";
import { giveWay } from "./give-way.ts";
import { sleepWhileHalted } from "./idle-sleep.ts";
import type { NetworkParameters } from "./messages.ts";
import { quickenQueue } from "./quick-ring.ts";
import { allotHashes } from "./remembered-hashes.ts";
import { leaveOutScreen } from "./screen-memory.ts";
import { shareInterrupts } from "./shared-interrupts.ts";
import { beginWithTick, extendState } from "./state-repairs.ts";
import { TerminalKeys } from "./terminal-keys.ts";
import { TimerHold } from "./timer-hold.ts";
import { compileEmulator, emulatorCode } from "./v8-flags.ts";
import { type Cpu, checkInternals, type V86Emulator, type VirtQueue } from "./v86-internals.ts";
import { type CardOptions, VirtioNet } from "./virtio-net.ts";
import { VirtioNinep } from "./virtio-ninep.ts";
import { trackPages, untrackedPages, type WrittenPages } from "./written-pages.ts";

/**
 * Serves one 9P request; replies at once or later, or says that the guest no longer waits (Tflush).
 * `NinePServer.handle` has this shape.
 */
export type NinePHandler = (
  request: Uint8Array,
  reply: (response: Uint8Array) => void,
  onCancelled?: () => void,
) => void;

export interface BootFiles {
  bios: string;
  vgaBios: string;
  kernel: string;
  initramfs: string;
}

export interface EmulatorOptions {
  boot: BootFiles;
  /** Whether the guest is to be booted; otherwise a state is loaded, and the kernel would only be in its way. */
  isToBoot: boolean;
  /** What V8 compiled of the emulator in another process, where it is at hand. */
  code?: EmulatorCode | undefined;
  /** The kernel's. */
  cmdline: string;
  memoryBytes: number;
  /** Serves the guest's root (tag `host9p`). */
  root: NinePHandler;
  /** Serves the turn files (tag `mom`). */
  turns: NinePHandler;
  card: Omit<CardOptions, "onBroken" | "prepare">;
  network: NetworkParameters;
  onConsole(byte: number): void;
  onTerminal(bytes: Uint8Array): void;
  /** The guest's kernel did what no sane kernel does: the machine must not go on. */
  onBroken(reason: string): void;
  /** The machine works, but worse than it could. */
  onWarning(text: string): void;
}

type CompiledWasm = Omit<EmulatorWasm, "bytes"> & { module: WebAssembly.Module };

/** Longest 9P request: the largest msize that either server grants, with room for the header. */
const MAX_REQUEST_BYTES = 1 << 20;
/** The least that v86 takes: nobody looks at the screen, and text mode needs little. */
const VGA_MEMORY_BYTES = 256 << 10;
/**
 * Pages of guest code that v86 compiles into one module at most, instead of 3: calls between them stay inside
 * (src/rust/jit.rs `MAX_PAGES`; measured: docs/performance.md).
 */
const PAGES_A_MODULE = 8;
const JIT_MAX_PAGES = 1;
/** Where our own devices stand in v86's list of devices' states (it ends at 89); 101 has our clocks. */
const STATE_TURNS_DEVICE = 100;
const STATE_CARD = 102;
const UNKNOWN_EMULATOR =
  "v86.wasm is not the one that Mom knows how to follow: every save and switch compares all of the memory\n";

/**
 * One v86, without a screen: a serial console, a serial line for orders, a virtio console for terminals and two
 * 9P mounts. All that reaches into v86's inside is in this file and those it imports.
 */
export class Emulator {
  readonly #v86: V86Emulator;
  readonly #cpu: Cpu;
  readonly #wasm: CompiledWasm;
  readonly #written: WrittenPages;
  #stopping: Promise<void> | undefined;
  #isRestored = false;
  readonly #turnsDevice: VirtioNinep;
  readonly card: VirtioNet;
  readonly keys: TerminalKeys;
  /** Around what somebody waits for. */
  readonly timerHold: TimerHold;

  private constructor(v86: V86Emulator, wasm: CompiledWasm, options: EmulatorOptions) {
    this.#v86 = v86;
    this.#wasm = wasm;
    this.#cpu = v86.v86.cpu;
    checkInternals(this.#cpu);
    const setJitConfig = this.#cpu.wm.exports.set_jit_config as (index: number, to: number) => void;
    setJitConfig(JIT_MAX_PAGES, PAGES_A_MODULE);
    const { onBroken } = options;
    refuseHugeRequests(this.#cpu, onBroken);
    const prepare = (queue: VirtQueue) => quickenQueue(this.#cpu, queue);
    this.card = new VirtioNet(this.#cpu, { ...options.card, prepare, onBroken });
    this.#turnsDevice = new VirtioNinep(this.#cpu, {
      tag: "mom",
      maxRequestBytes: MAX_REQUEST_BYTES,
      handle: guarded(options.turns, onBroken),
      onBroken,
    });
    this.keys = new TerminalKeys({
      isReady: () => {
        const queue = this.#cpu.devices.virtio_console.virtio.queues[0];
        return queue?.is_configured() ? queue.count_requests() > 0 : false;
      },
      send: (piece) => this.#v86.bus.send("virtio-console0-input-bytes", piece),
    });
    shareInterrupts(this.#cpu);
    this.timerHold = new TimerHold(this.#cpu);
    sleepWhileHalted(this.#cpu);
    leaveOutScreen(this.#cpu.devices.vga);
    extendState(this.#cpu, { [STATE_TURNS_DEVICE]: this.#turnsDevice, [STATE_CARD]: this.card });
    if (wasm.isKnown) allotHashes(this.#cpu);
    this.#written = wasm.isKnown ? trackPages(this.#cpu) : untrackedPages;
  }

  /** Set a machine up, not yet running. */
  static async create(options: EmulatorOptions): Promise<Emulator> {
    const { bytes, sha256, isKnown } = await emulatorWasm(options.code?.wasm);
    if (!isKnown) options.onWarning(UNKNOWN_EMULATOR);
    const code = options.code?.wasmSha256 === sha256 ? options.code.code : undefined;
    const module = await compileEmulator(bytes, process.versions.node, code);

    const v86 = new V86({
      wasm_fn: async (imports: WebAssembly.Imports) =>
        (await WebAssembly.instantiate(module, imports)).exports,
      memory_size: options.memoryBytes,
      vga_memory_size: VGA_MEMORY_BYTES,
      bios: { url: options.boot.bios },
      vga_bios: { url: options.boot.vgaBios },
      ...(options.isToBoot
        ? { bzimage: { url: options.boot.kernel }, initrd: { url: options.boot.initramfs } }
        : {}),
      cmdline: options.cmdline,
      filesystem: { handle9p: guarded(options.root, options.onBroken) },
      // The card is one of our own.
      net_device: { type: "none", ...(options.network.backend === "fetch" ? FETCH_DEVICE : {}) },
      uart1: true,
      virtio_console: true,
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      autostart: false,
    } as never) as unknown as V86Emulator;
    await new Promise<void>((resolve) => v86.add_listener("emulator-ready", () => resolve()));

    const emulator = new Emulator(v86, { module, sha256, isKnown }, options);
    v86.add_listener("serial0-output-byte", options.onConsole as (data: never) => void);
    v86.add_listener("virtio-console0-output-bytes", options.onTerminal as (data: never) => void);
    return emulator;
  }

  /** v86's own network, for a machine made with it. */
  fetchNetwork(parameters: NetworkParameters): FetchNetwork {
    return new FetchNetwork(this.#v86, this.card, parameters);
  }

  get isRunning(): boolean {
    return this.#v86.is_running();
  }

  /** The guest's processor waits for an interrupt. */
  get isHalted(): boolean {
    return this.#cpu.in_hlt[0] === 1;
  }

  /** Guest instructions since power-on, modulo 2³². */
  get instructions(): number {
    return (this.#cpu.instruction_counter[0] ?? 0) >>> 0;
  }

  async run(): Promise<void> {
    // A v86 that was told to stop says that it runs until it has stopped, and then stays so.
    await this.#stopping;
    if (this.isRunning) return;
    // Not at the restore: it writes to the guest's stack.
    if (this.#isRestored) {
      this.timerHold.reset();
      beginWithTick(this.#cpu);
    }
    this.#isRestored = false;
    await this.#v86.run();
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#v86.stop().finally(() => {
      this.#stopping = undefined;
    });
    await this.#stopping;
  }

  /**
   * From inside a call of the guest's: let our own process do what has come up, and our parent hear of it, before the
   * guest goes on. Its slice of time would else end when a millisecond is over and 100,000 instructions are done
   * (src/rust/cpu/cpu.rs `main_loop`).
   * v86 has no such call, but stops for a processor that halts; one that is woken by nothing goes on where it was.
   */
  endSlice(): void {
    const cpu = this.#cpu;
    cpu.in_hlt[0] = 1;
    setImmediate(() => {
      giveWay();
      cpu.in_hlt[0] = 0;
      if (this.isRunning) cpu.stop_idling();
    });
  }

  /** A line for the control agent. At most 4,000 bytes: a tty drops more. */
  sendLine(line: string): void {
    this.#v86.serial_send_bytes(1, new TextEncoder().encode(`${line}\n`));
  }

  /** True when the guest has read all that was sent on the serial line. */
  get isSerialDrained(): boolean {
    return this.#cpu.devices.uart1.input.length === 0;
  }

  /** After a restore, when the turn files' server is in the same state: have it asked again for what waited. */
  askTurnsAgain(): void {
    this.#turnsDevice.askAgain();
  }

  resizeTerminal(columns: number, rows: number): void {
    // v86 0.5.462 puts rows before columns into the message; Linux and virtio 1.2 (5.3.6.2) have columns first.
    this.#v86.bus.send("virtio-console0-resize", [rows, columns]);
  }

  /** Guest RAM: a view that is valid until the guest runs on. */
  get memory(): Uint8Array {
    return memoryOf(this.#cpu);
  }

  /** Write guest RAM, as a device does. The machine must be stopped. */
  writeMemory(address: number, bytes: Uint8Array): void {
    this.#cpu.write_blob(bytes, address);
  }

  /**
   * Numbers of the pages written since the last call or the last restore, ascending; some may be as they were.
   * `undefined`: any page may have been written. The machine must be stopped.
   */
  takeWrittenPages(): Uint32Array | undefined {
    return this.#written.take();
  }

  /** State of processor and devices, without RAM. The machine must be stopped. */
  async saveDevices(): Promise<Uint8Array> {
    const cpu = this.#cpu;
    const packMemory = cpu.pack_memory;
    cpu.pack_memory = () => ({
      packed_memory: new Uint8Array(0),
      bitmap: { get_buffer: () => new ArrayBuffer(0) },
    });
    try {
      return new Uint8Array(await this.#v86.save_state());
    } finally {
      cpu.pack_memory = packMemory;
    }
  }

  /**
   * Put processor and devices into a saved state, and RAM into what `writePages` makes of it: it gets the
   * memory and what `takeWrittenPages` would give, and returns the numbers of the pages it changed. Compiled
   * code of all other pages stays.
   */
  async restore(
    devices: Uint8Array,
    writePages: (memory: Uint8Array, written: Uint32Array | undefined) => Iterable<number>,
  ): Promise<void> {
    const cpu = this.#cpu;
    const dirtyCache = cpu.wm.exports.jit_dirty_cache as (start: number, end: number) => void;
    const { unpack_memory: unpackMemory, jit_clear_cache: clearCache } = cpu;
    cpu.unpack_memory = () => {
      for (const page of writePages(memoryOf(cpu), this.takeWrittenPages())) {
        dirtyCache(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      }
      // Those were our own writes. What a device writes from here on counts.
      this.takeWrittenPages();
    };
    cpu.jit_clear_cache = () => {};
    try {
      // A copy of its own: v86 reads the whole buffer from its start.
      await this.#v86.restore_state(new Uint8Array(devices).buffer);
    } finally {
      cpu.unpack_memory = unpackMemory;
      cpu.jit_clear_cache = clearCache;
    }
    this.#isRestored = true;
  }

  /** What V8 has compiled of the emulator until now. */
  async code(): Promise<EmulatorCode> {
    return {
      wasm: (await emulatorWasm()).bytes,
      wasmSha256: this.#wasm.sha256,
      code: emulatorCode(this.#wasm.module, process.versions.node),
    };
  }

  async destroy(): Promise<void> {
    await this.#v86.destroy();
  }
}

function memoryOf(cpu: Cpu): Uint8Array {
  const { buffer, byteOffset, length } = cpu.mem8;
  return new Uint8Array(buffer, byteOffset, length);
}

/** v86 calls the handler in an async function: an exception there would be an unhandled rejection. */
function guarded(handler: NinePHandler, onBroken: (reason: string) => void): NinePHandler {
  return (request, reply, onCancelled) => {
    try {
      handler(request, reply, onCancelled);
    } catch (error) {
      onBroken(`9P server failed: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };
}

/** v86's transport for the root allocates as many bytes as the guest's descriptors say: refuse first. */
function refuseHugeRequests(cpu: Cpu, onBroken: (reason: string) => void): void {
  const queue = cpu.devices.virtio_9p.virtio.queues[0];
  if (queue === undefined) throw new Error("v86 made a 9P device without a queue");
  const popRequest = queue.pop_request.bind(queue);
  queue.pop_request = () => {
    const chain = popRequest();
    if (!(chain.length_readable >= 7 && chain.length_readable <= MAX_REQUEST_BYTES)) {
      onBroken(`9P request of ${chain.length_readable} bytes`);
      // A Tversion-sized nothing: the server answers it with an error, and the machine is stopped anyway.
      chain.length_readable = 7;
    }
    return chain;
  };
}
