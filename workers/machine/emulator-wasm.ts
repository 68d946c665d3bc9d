import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { rememberHashes } from "./remembered-hashes.ts";
import { addHints } from "./v8-flags.ts";
import { WasmModule } from "./wasm/module.ts";
import { addWriteTracking, isKnownEmulator } from "./write-tracking.ts";

/** v86.wasm as a machine compiles it. */
export interface EmulatorWasm {
  bytes: Uint8Array;
  sha256: string;
  /** It has what Mom adds to the one that it knows: write tracking and remembered hashes. */
  isKnown: boolean;
}

export async function emulatorWasm(): Promise<EmulatorWasm> {
  const path = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
  const source = await readFile(path);
  const isKnown = isKnownEmulator(source);
  const module = new WasmModule(source);
  if (isKnown) {
    addWriteTracking(module);
    rememberHashes(module);
  }
  addHints(module, process.versions.node);
  const bytes = module.toBytes();
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex"), isKnown };
}
