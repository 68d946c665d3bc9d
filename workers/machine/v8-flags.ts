import v8 from "node:v8";

/**
 * V8 tuned for the emulator (measured: docs/performance.md). v86's own wasm module is large, hot and compiled
 * once: TurboFan, up front. The thousands of small modules that v86's JIT makes are compiled by Liftoff only:
 * optimising each in the background would steal the core that runs the guest.
 */

/** Command-line options for a machine's process on this version of Node.js. */
export function machineExecArgv(nodeVersion: string): string[] {
  const major = Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
  // From 24 on, V8 reads these flags once at start: one choice for both kinds of module, and Liftoff is
  // the better one.
  return major >= 24 ? ["--liftoff-only"] : [];
}

/** Compile v86.wasm with the optimising compiler, then leave V8 set for the JIT's modules. */
export async function compileEmulator(
  source: Uint8Array,
  nodeVersion: string,
): Promise<WebAssembly.Module> {
  const major = Number.parseInt(nodeVersion.split(".")[0] ?? "", 10);
  if (major >= 24) return WebAssembly.compile(source);
  v8.setFlagsFromString("--no-liftoff");
  const module = await WebAssembly.compile(source);
  v8.setFlagsFromString("--liftoff");
  v8.setFlagsFromString("--liftoff-only");
  return module;
}
