import { open, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { V86 } from "v86";
import { addHints, compileEmulator } from "../../../workers/machine/v8-flags.ts";
import { WasmModule } from "../../../workers/machine/wasm/module.ts";
import type { StockAnswer, StockCall, StockStart } from "./messages.ts";
import { SerialShell } from "./serial-shell.ts";

// The process of a stock machine: v86 as its Readme and v86.d.ts describe it, with nothing of Mom's.

const BOOT_TIMEOUT_MS = 300_000;
/**
 * What an init would do, typed at the bare shell that the initramfs starts. It ends in bash as bash comes, with
 * prompt and line editing, on a terminal that echoes: the console of v86's own images.
 */
const SETUP = [
  "export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8",
  "mount -t proc proc /proc; mount -t sysfs sys /sys",
  "mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts",
  "mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run",
  "ln -sfn /proc/self/fd /dev/fd",
  "cd /root",
] as const;
const LAST_SETUP = "exec bash --norc --noprofile";

class StockMachine {
  readonly #v86: V86;
  readonly #shell: SerialShell;
  readonly #states = new Map<string, ArrayBuffer>();

  private constructor(v86: V86) {
    this.#v86 = v86;
    this.#shell = new SerialShell({
      send: (text) => v86.serial0_send(text),
      onByte: (listener) => v86.add_listener("serial0-output-byte", listener),
    });
  }

  static async start(options: StockStart): Promise<StockMachine> {
    const { files } = options;
    const wasmPath = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
    const v86 = new V86({
      ...(options.twoPhase ? await twoPhaseWasm(wasmPath) : { wasm_path: wasmPath }),
      memory_size: options.memoryBytes,
      vga_memory_size: 2 << 20,
      bios: { url: join(files.image, "bios.bin") },
      vga_bios: { url: join(files.image, "vgabios.bin") },
      bzimage: { url: join(files.image, "kernel") },
      initrd: { url: join(files.image, "initramfs") },
      cmdline: options.cmdline,
      filesystem: { basefs: files.fsJson, baseurl: `${join(files.image, "files")}/` },
      net_device: {
        type: "virtio",
        ...(options.network === null ? {} : { relay_url: options.network }),
      },
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      autostart: true,
      ...(files.state === null ? {} : { initial_state: { url: files.state } }),
    } as ConstructorParameters<typeof V86>[0]);
    const machine = new StockMachine(v86);
    // Before that, what is typed goes nowhere, and a saved state is not in yet.
    await new Promise<void>((resolve) => v86.add_listener("emulator-started", () => resolve()));
    if (files.state === null) await machine.#shell.untilPrompt(BOOT_TIMEOUT_MS);
    await machine.#shell.run(":", BOOT_TIMEOUT_MS);
    return machine;
  }

  /** From the bare shell of the initramfs to one that commands can be typed at. */
  async setUp(): Promise<void> {
    for (const line of SETUP) {
      const { exitCode, text } = await this.#shell.run(line, BOOT_TIMEOUT_MS);
      if (exitCode !== 0) throw new Error(`${line}: exit ${exitCode}: ${text}`);
    }
    await this.#shell.become(LAST_SETUP, BOOT_TIMEOUT_MS);
  }

  /** Stopped between calls, so that it takes no time from what is measured beside it. */
  async answer(call: Exclude<StockCall, { call: "start" }>): Promise<unknown> {
    await this.#v86.run();
    try {
      return await this.#answer(call);
    } finally {
      if (call.call !== "run" || !call.in.staysAwake) await this.rest();
    }
  }

  rest(): Promise<void> {
    return this.#v86.stop();
  }

  async #answer(call: Exclude<StockCall, { call: "start" }>): Promise<unknown> {
    const startMs = performance.now();
    const took = () => performance.now() - startMs;
    switch (call.call) {
      case "run": {
        const end = await this.#shell.run(call.in.command, call.in.timeoutMs);
        return { ...end, ms: took() };
      }
      case "save": {
        const state = await this.#v86.save_state();
        this.#states.set(call.in.name, state);
        return { ms: took(), bytes: state.byteLength };
      }
      case "restore":
        await this.#v86.restore_state(this.#state(call.in.name));
        return { ms: took() };
      case "compressedBytes":
        return zstdCompressSync(new Uint8Array(this.#state(call.in.name))).length;
      case "saveTo": {
        const state = await this.#v86.save_state();
        const file = await open(call.in.path, "w");
        try {
          await file.writeFile(new Uint8Array(state));
          await file.sync();
        } finally {
          await file.close();
        }
        return { ms: took(), bytes: state.byteLength };
      }
    }
  }

  #state(name: string): ArrayBuffer {
    const state = this.#states.get(name);
    if (state === undefined) throw new Error(`no state is called ${name}`);
    return state;
  }
}

async function twoPhaseWasm(wasmPath: string): Promise<object> {
  const emulator = new WasmModule(await readFile(wasmPath));
  addHints(emulator, process.versions.node);
  const module = await compileEmulator(emulator.toBytes(), process.versions.node);
  return {
    wasm_fn: async (imports: WebAssembly.Imports) =>
      (await WebAssembly.instantiate(module, imports)).exports,
  };
}

let machine: StockMachine | undefined;

async function answer(call: StockCall): Promise<unknown> {
  if (call.call === "start") {
    const startMs = performance.now();
    machine = await StockMachine.start(call.in);
    const ms = performance.now() - startMs;
    if (call.in.files.state === null) await machine.setUp();
    await machine.rest();
    return { ms };
  }
  if (machine === undefined) throw new Error("the stock machine is not started");
  return machine.answer(call);
}

process.on("message", (call: StockCall) => {
  const tell = (message: StockAnswer) => process.send?.(message);
  answer(call).then(
    (out) => tell({ answer: call.id, out }),
    (error: unknown) =>
      tell({ answer: call.id, error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
// Ctrl-C at the terminal reaches the whole process group: the parent decides what it means.
process.on("SIGINT", () => {});
