import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { V86 } from "v86";
import type { V86Emulator } from "../../../workers/machine/v86-internals.ts";

/** v86.wasm as its makers publish it. */
export function publishedWasm(): Buffer {
  return readFileSync(createRequire(import.meta.url).resolve("v86/build/v86.wasm"));
}

/**
 * A v86 of 16 MB without a BIOS, whose processor stands still. End it with `destroy`.
 *
 * @param devices options of v86's that add some.
 */
export async function bareEmulator(wasm: Uint8Array, devices: object = {}): Promise<V86Emulator> {
  const module = await WebAssembly.compile(wasm);
  const v86 = new V86({
    wasm_fn: async (imports: WebAssembly.Imports) =>
      (await WebAssembly.instantiate(module, imports)).exports,
    memory_size: 16 << 20,
    vga_memory_size: 2 << 20,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: false,
    ...devices,
  } as never) as unknown as V86Emulator;
  await new Promise<void>((resolve) => v86.add_listener("emulator-ready", () => resolve()));
  return v86;
}
