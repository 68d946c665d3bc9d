import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { rememberHashes } from "./remembered-hashes.ts";
import { addHints, majorOf } from "./v8-flags.ts";
import { WasmModule } from "./wasm/module.ts";
import { addWriteTracking, isKnownEmulator } from "./write-tracking.ts";

/** v86.wasm as a machine compiles it. */
export interface EmulatorWasm {
  bytes: Uint8Array;
  sha256: string;
  /** It has what Mom adds to the one that it knows: write tracking and remembered hashes. */
  isKnown: boolean;
}

/**
 * Hashes of what becomes of the one that Mom knows, by the first version of Node.js that has it so (`addHints`). What has its hash
 * need not be made again: that takes a machine's process 0.1 s. test/machine/emulator-code.test.ts tells when they change.
 */
const PREPARED_SHA256: readonly [major: number, sha256: string][] = [
  [25, "48953ea2280d382719882ba0606f848cbd294fe24096b2a297674e04aa433989"],
  [23, "dd399733664ee52e10cfa5aba9b760e05c07b9d4f50ad78ab388a3fcf8945c9b"],
  [22, "7bf1c8aff67e4d8ad9b15e79820ef85ecf2de798e7419fba58e6401cdcaab597"],
];

/**
 * @param kept what this function gave an earlier process, which is looked at before it is used.
 * @param nodeVersion that compiles it.
 */
export async function emulatorWasm(
  kept?: Uint8Array,
  nodeVersion = process.versions.node,
): Promise<EmulatorWasm> {
  const path = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
  const source = await readFile(path);
  const isKnown = isKnownEmulator(source);
  if (isKnown && kept !== undefined) {
    const sha256 = sha256Of(kept);
    if (sha256 === preparedSha256(nodeVersion)) return { bytes: kept, sha256, isKnown };
  }
  const module = new WasmModule(source);
  if (isKnown) {
    addWriteTracking(module);
    rememberHashes(module);
  }
  addHints(module, nodeVersion);
  const bytes = module.toBytes();
  return { bytes, sha256: sha256Of(bytes), isKnown };
}

/** What the emulator that Mom knows has as its hash when it is prepared for this version of Node.js. */
export function preparedSha256(nodeVersion: string): string | undefined {
  const major = majorOf(nodeVersion);
  return PREPARED_SHA256.find(([first]) => major >= first)?.[1];
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
