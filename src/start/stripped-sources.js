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

// JavaScript, as are the first files of our processes: for a single file with types Node.js loads its TypeScript, which takes
// 90 ms.

/**
 * Has what is imported from here on come without its types out of a cache, where it is kept by the hash of the source. Node.js
 * strips the types of each file in each process, which is two thirds of the time until a machine's process begins
 * (docs/performance.md). Node.js 24 has such a cache of its own, but not for a confined process.
 *
 * A process that may not write, such as a machine's, only reads it: see `keepStripped`.
 */
export function useStrippedSources() {
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
 *
 * @param {readonly string[]} folders
 */
export function keepStripped(folders) {
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

/** @param {string} source */
function pathOf(source) {
  return join(CACHE, `${createHash("sha256").update(source).digest("hex")}.js`);
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * @param {string} source
 * @param {string} path where to keep it
 */
function strip(source, path) {
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

/**
 * Whole or not at all: other processes read it meanwhile.
 *
 * @param {string} path
 * @param {string} stripped
 */
function keep(path, stripped) {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(temporary, stripped);
    renameSync(temporary, path);
  } catch {
    // A folder that is read-only, or full: the next process strips it again.
  }
}
