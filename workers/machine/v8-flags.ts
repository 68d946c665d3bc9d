import v8 from "node:v8";
import { addCompilationHints, HINTS_FLAG } from "./compilation-hints.ts";
import { moduleWithCode, nativeCode } from "./native-code.ts";
import type { WasmModule } from "./wasm/module.ts";

/**
 * V8 tuned for the emulator (measured: docs/performance.md). v86's own wasm module is large, hot and compiled
 * once: TurboFan, up front. The thousands of small modules that v86's JIT makes are compiled by Liftoff only:
 * optimising each in the background would steal the core that runs the guest.
 */

/**
 * When V8 compiles a function: most of the emulator's are never called, and each of the JIT's is, soon. Those are compiled in the
 * background while the guest's code is still interpreted.
 */
const AT_FIRST_CALL = "--wasm-lazy-compilation";
const AT_ONCE = "--no-wasm-lazy-compilation";
/**
 * By how many percent of what is left after a collection of all garbage memory may grow until the next; 0 leaves that to V8. What
 * counts is V8's heap of 24 MB and what has come outside of it since, as the JIT's modules and a switch's
 * buffers: left to itself V8 collected at every second switch.
 */
const ROOM_FOR_GARBAGE = "--heap-growing-percent=200";
const ROOM_AS_USUAL = "--heap-growing-percent=0";

/** Command-line options for a machine's process on this version of Node.js. */
export function machineExecArgv(nodeVersion: string): string[] {
  const major = majorOf(nodeVersion);
  // From 24 on, V8 reads its flags once at start: with AT_ONCE, too, 24 would not heed the hints, and 26 never ends compiling
  // the emulator. After 24 it takes hints of another form: one choice for both kinds of module, and Liftoff is the better.
  if (major > 24) return ["--liftoff-only", ROOM_FOR_GARBAGE];
  return major === 24 ? ["--liftoff-only", HINTS_FLAG, ROOM_FOR_GARBAGE] : [];
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
  if (readsFlagsLater(nodeVersion)) setFlags(HINTS_FLAG, "--liftoff-only", AT_FIRST_CALL);
  const module = (code && moduleWithCode(wasm, code)) ?? (await WebAssembly.compile(wasm));
  if (readsFlagsLater(nodeVersion)) setFlags(AT_ONCE, ROOM_FOR_GARBAGE);
  return module;
}

/** What V8 has compiled of the emulator until now, for `compileEmulator`: V8 takes code under the flags that it was given out with. */
export function emulatorCode(module: WebAssembly.Module, nodeVersion: string): Uint8Array {
  if (!readsFlagsLater(nodeVersion)) return nativeCode(module);
  setFlags(AT_FIRST_CALL, ROOM_AS_USUAL);
  try {
    return nativeCode(module);
  } finally {
    setFlags(AT_ONCE, ROOM_FOR_GARBAGE);
  }
}

function setFlags(...flags: string[]): void {
  for (const flag of flags) v8.setFlagsFromString(flag);
}

function readsFlagsLater(nodeVersion: string): boolean {
  return majorOf(nodeVersion) < 24;
}

/** 22 of 22.18.0. */
export function majorOf(nodeVersion: string): number {
  return Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
}
