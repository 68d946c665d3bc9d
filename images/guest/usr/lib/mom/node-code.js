// node-code.js SNAPSHOT MODULES: puts V8's code of Node.js' own modules that are not in the snapshot at the end of its file, where
// Node.js 18 looks for it. Debian's build keeps none, and compiles `fetch`, `https` and all below them anew in each process.
// MODULES are those in the snapshot, a line each. Code of another V8, or for other options, is refused by V8 itself.

const fs = require("node:fs");
const vm = require("node:vm");

/** What programs ask for. What these load in turn is seen when they are loaded. */
const ASKED_FOR =
  "assert child_process crypto dns fs/promises https module os readline stream/promises timers/promises url util vm worker_threads zlib";
/** By these names a module gets at the rest of Node.js (its src/node_builtins.cc). */
const PARAMETERS = ["exports", "require", "module", "process", "internalBinding", "primordials"];
/** These begin a process, are small, and have other parameters. */
const MAIN = "internal/main/";

/** Names of the modules that are loaded, as `process.moduleLoadList` has them between those of bindings. */
function loadedModules(/** @type {string[]} */ lines) {
  const prefix = "NativeModule ";
  return lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
}

async function modulesOutside(/** @type {string[]} */ snapshot) {
  for (const name of ASKED_FOR.split(" ")) require(`node:${name}`);
  process.stdout.write("");
  await fetch("data:,");
  const inside = new Set(loadedModules(snapshot));
  // @ts-expect-error: not in its types.
  const loaded = loadedModules(process.moduleLoadList);
  return loaded.filter((name) => !inside.has(name) && !name.startsWith(MAIN));
}

function number(/** @type {number} */ value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/**
 * As Node.js' src/node_snapshotable.cc reads it: a name that ends with a zero, and the code, each behind its length.
 *
 * @param {string} name
 * @param {string} source
 */
function entry(name, source) {
  const options = { filename: `node:${name}`, produceCachedData: true };
  const { cachedData: code } = vm.compileFunction(source, PARAMETERS, options);
  if (code === undefined) throw new Error(`V8 gives no code of ${name}.`);
  const parts = [number(name.length), Buffer.from(`${name}\0`)];
  return Buffer.concat([...parts, number(code.length), code]);
}

async function main(/** @type {string} */ file, /** @type {string} */ inSnapshot) {
  const snapshot = fs.readFileSync(file);
  const end = snapshot.length - 4;
  // No code is what a snapshot of Node.js 18 ends with; others are left as they are.
  if (!process.version.startsWith("v18.") || snapshot.readUInt32LE(end) !== 0) return;
  // @ts-expect-error: not in its types.
  const sources = process.binding("natives");
  const names = await modulesOutside(inSnapshot.split("\n"));
  const entries = names.map((name) => entry(name, sources[name]));
  const whole = [snapshot.subarray(0, end), number(names.length), ...entries];
  fs.writeFileSync(`${file}.new`, Buffer.concat(whole));
  fs.renameSync(`${file}.new`, file);
}

const [file = "", inSnapshot = ""] = process.argv.slice(2);
main(file, inSnapshot);
