import v8 from "node:v8";
import { addCompilationHints, HINTS_FLAG } from "./compilation-hints.ts";
import type { WasmModule } from "./wasm/module.ts";

/**
 * V8 tuned for the emulator (measured: docs/performance.md). v86's own wasm module is large, hot and compiled
 * once: TurboFan, up front. The thousands of small modules that v86's JIT makes are compiled by Liftoff only:
 * optimising each in the background would steal the core that runs the guest.
 */

/** Command-line options for a machine's process on this version of Node.js. */
export function machineExecArgv(nodeVersion: string): string[] {
  // From 24 on, V8 reads these flags once at start, and takes hints in other forms or not at all: one choice for
  // both kinds of module, and Liftoff is the better one.
  return majorOf(nodeVersion) >= 24 ? ["--liftoff-only"] : [];
}

/** Compile v86.wasm with the optimising compiler, and set V8 for the JIT's modules. */
export async function compileEmulator(
  module: WasmModule,
  nodeVersion: string,
): Promise<WebAssembly.Module> {
  if (majorOf(nodeVersion) >= 24) return WebAssembly.compile(module.toBytes());
  v8.setFlagsFromString(HINTS_FLAG);
  v8.setFlagsFromString("--liftoff-only");
  addCompilationHints(module);
  return WebAssembly.compile(module.toBytes());
}

function majorOf(nodeVersion: string): number {
  return Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
}
