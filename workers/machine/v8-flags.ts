import v8 from "node:v8";
import { addCompilationHints, HINTS_FLAG } from "./compilation-hints.ts";
import { moduleWithCode } from "./native-code.ts";
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

/** Say in v86.wasm itself that TurboFan shall compile it, where this Node.js reads that. */
export function addHints(emulator: WasmModule, nodeVersion: string): void {
  const major = majorOf(nodeVersion);
  // After 22, `compile` of a module with eager functions never ends (seen with 24.21).
  if (major <= 24) addCompilationHints(emulator, { isEager: major === 22 });
}

/**
 * Compile v86.wasm with the optimising compiler, and set V8 for the JIT's modules.
 *
 * @param wasm with its hints.
 * @param code what V8 compiled of just that in another process.
 */
export async function compileEmulator(
  wasm: Uint8Array,
  nodeVersion: string,
  code?: Uint8Array,
): Promise<WebAssembly.Module> {
  if (majorOf(nodeVersion) < 24) {
    v8.setFlagsFromString(HINTS_FLAG);
    v8.setFlagsFromString("--liftoff-only");
  }
  return (code && moduleWithCode(wasm, code)) ?? WebAssembly.compile(wasm);
}

function majorOf(nodeVersion: string): number {
  return Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
}
