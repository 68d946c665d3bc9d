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
  const major = majorOf(nodeVersion);
  // From 24 on, V8 reads its flags once at start. After 24 it takes hints of another form: one choice for both kinds of
  // module, then, and Liftoff is the better one.
  if (major > 24) return ["--liftoff-only"];
  return major === 24 ? ["--liftoff-only", HINTS_FLAG] : [];
}

/** Compile v86.wasm with the optimising compiler, and set V8 for the JIT's modules. */
export async function compileEmulator(
  module: WasmModule,
  nodeVersion: string,
): Promise<WebAssembly.Module> {
  const major = majorOf(nodeVersion);
  if (major < 24) {
    v8.setFlagsFromString(HINTS_FLAG);
    v8.setFlagsFromString("--liftoff-only");
  }
  // After 22, `compile` of a module with eager functions never ends (seen with 24.21).
  if (major <= 24) addCompilationHints(module, { isEager: major === 22 });
  return WebAssembly.compile(module.toBytes());
}

function majorOf(nodeVersion: string): number {
  return Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
}
