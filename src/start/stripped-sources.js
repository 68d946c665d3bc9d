import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);
/** Beside the packages: gone with them. What one version of Node.js wrote is not for another. */
const CACHE = fileURLToPath(new URL(`node_modules/.cache/mom/${process.version}`, ROOT));

/**
 * Has what is imported from here on come without its types out of a cache, where it is kept by the hash of the source. Node.js
 * strips the types of each file in each process, which is two thirds of the time until a machine's process begins
 * (docs/performance.md). Node.js 24 has such a cache of its own, but not for a confined process.
 *
 * A process that may not write, such as a machine's, only reads it: see `keepStripped`.
 */
export function useStrippedSources(): void {
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith(ROOT.href) || !url.endsWith(".ts")) return nextLoad(url, context);
      const source = readFileSync(fileURLToPath(url), "utf8");
      const path = pathOf(source);
      return { format: "module", source: read(path) ?? strip(source, path), shortCircuit: true };
    },
  });
}

/**
 * Keeps the sources below these folders of the checkout, for processes that may not. With all of them there it takes 5 ms.
 */
export function keepStripped(folders: readonly string[]): void {
  for (const folder of folders) {
    const directory = fileURLToPath(new URL(folder, ROOT));
    for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      const source = readFileSync(join(directory, name), "utf8");
      const path = pathOf(source);
      if (!existsSync(path)) strip(source, path);
    }
  }
}

function pathOf(source: string): string {
  return join(CACHE, `${createHash("sha256").update(source).digest("hex")}.js`);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function strip(source: string, path: string): string {
  const { emitWarning } = process;
  // That this function is not yet stable is nothing to tell a person who starts Mom.
  process.emitWarning = () => {};
  try {
    const stripped = stripTypeScriptTypes(source);
    keep(path, stripped);
    return stripped;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Whole or not at all: other processes read it meanwhile. */
function keep(path: string, stripped: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(temporary, stripped);
    renameSync(temporary, path);
  } catch {
    // A folder that is read-only, or full: the next process strips it again.
  }
}
