import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BenchError } from "../errors.ts";

const run = promisify(execFile);

/** Builds `client.c` for the guest; it needs gcc, and no 32-bit library. */
export async function buildClient(folder: string): Promise<Uint8Array> {
  const path = join(folder, "client");
  const flags = "-m32 -O2 -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-stack-protector";
  const source = join(import.meta.dirname, "client.c");
  try {
    await run("gcc", [...flags.split(" "), "-mno-sse", "-o", path, source]);
  } catch (cause) {
    const message = "the small client of the network's bench cannot be built: install gcc";
    throw new BenchError("COMMAND_FAILED", message, { cause });
  }
  return readFile(path);
}
