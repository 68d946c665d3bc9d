import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { emulatorWasm } from "./emulator-wasm.ts";
import { packState, unpackState } from "./state-file.ts";

/**
 * What V8 compiled of the emulator, kept in the folder of a base: each process of a machine would spend half a second of
 * processor time on the same. It is no part of the base: without it, with that of another Node.js or with a damaged one a
 * machine starts as well, but later.
 */
export interface EmulatorCode {
  /** The module that it is the code of, as Mom changes it. */
  wasm: Uint8Array;
  wasmSha256: string;
  code: Uint8Array;
}

const Content = z.object({ wasmSha256: z.string() });
/** A few milliseconds to read, and a third of its size. */
const COMPRESSION_LEVEL = 12;

export async function writeEmulatorCode(
  folder: string,
  { wasm, wasmSha256, code }: EmulatorCode,
): Promise<void> {
  const path = codePath(folder);
  const unfinished = `${path}.${process.pid}.tmp`;
  await writeFile(
    unfinished,
    packState({ content: { wasmSha256 }, buffers: [code, wasm] }, COMPRESSION_LEVEL),
  );
  await rename(unfinished, path);
}

/** `undefined` where there is none that can be read. */
export async function readEmulatorCode(folder: string): Promise<EmulatorCode | undefined> {
  try {
    const { content, buffers } = unpackState(await readFile(codePath(folder)));
    const [code, wasm] = buffers;
    return code && wasm && { ...Content.parse(content), code, wasm };
  } catch {
    return undefined;
  }
}

/** Whether there is some of the emulator as it is now, for this Node.js. */
export async function hasEmulatorCode(folder: string): Promise<boolean> {
  const [code, { sha256 }] = await Promise.all([readEmulatorCode(folder), emulatorWasm()]);
  return code?.wasmSha256 === sha256;
}

/** One for each version of V8 that runs machines of this base. */
function codePath(folder: string): string {
  return join(folder, `v86-${process.versions.v8}.zst`);
}
