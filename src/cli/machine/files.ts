import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, parse, resolve, sep } from "node:path";
import type { MachineApi } from "../../../workers/machine/api.ts";
import type { GuestFile } from "../../../workers/machine/result.ts";
import { CliError } from "../errors.ts";

export interface InputFile {
  name: string;
  data: Uint8Array;
}

/** Files that a person named, to go into the sandbox under their own names. */
export async function readInputFiles(paths: readonly string[]): Promise<InputFile[]> {
  const files: InputFile[] = [];
  for (const path of paths) {
    const name = basename(path);
    if (files.some((file) => file.name === name)) {
      throw new CliError("USAGE", `Two files are called ${name}: they would overwrite each other.`);
    }
    const data = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      throw new CliError("MISSING", `${path} cannot be read (${cause.code}).`, { cause });
    });
    files.push({ name, data });
  }
  return files;
}

/**
 * Bring files out of the sandbox into a folder. Their names come from the guest and must not lead out of it; a second
 * file of one name gets a number behind it.
 */
export async function writeOutputFiles(
  machine: MachineApi,
  files: readonly GuestFile[],
  folder: string,
): Promise<void> {
  const root = resolve(folder);
  const taken = new Set<string>();
  for (const { path, name } of files) {
    const target = freeName(resolve(root, name), taken);
    if (!target.startsWith(root + sep)) {
      throw new CliError("PROGRAM_FAILED", `The guest names a file outside of ${folder}: ${name}`);
    }
    const data = await machine.readFile(path);
    try {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, data);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : cause;
      throw new CliError("PROGRAM_FAILED", `${target} cannot be written (${code}).`, { cause });
    }
  }
}

function freeName(path: string, taken: Set<string>): string {
  const { dir, name, ext } = parse(path);
  let free = path;
  for (let number = 2; taken.has(free); number++) free = join(dir, `${name}-${number}${ext}`);
  taken.add(free);
  return free;
}
