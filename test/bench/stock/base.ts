import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { WARM_UP, ZERO_FREE_MEMORY } from "../../../images/base.ts";
import type { FsJson, FsJsonNode } from "../../../images/fs-json.ts";
import type { Image } from "../../../images/image.ts";
import { lockFile } from "../../../images/lock.ts";
import { StockMachine } from "./machine.ts";
import type { StockStart } from "./messages.ts";

/** Raise when an earlier stock base cannot be used any more. */
const FORMAT = 2;
const MOM_INIT = ["usr", "lib", "mom"];

/** A stock machine's files, ready to start from power-on or from a saved state. */
export interface StockBase {
  fromPowerOn: StockStart;
  fromState: StockStart;
}

/**
 * The image as a stock machine uses it, booted, warmed up with the same commands as Mom's own base and saved by
 * `save_state`: made once, and kept in `folder`.
 */
export async function stockBase(options: {
  image: Image;
  memoryBytes: number;
  folder: string;
  signal: AbortSignal;
  onProgress(title: string): void;
}): Promise<StockBase & { reused: boolean }> {
  const { image, memoryBytes, folder, signal } = options;
  const dir = join(folder, await nameOf(image, memoryBytes));
  const base = describe(image, memoryBytes, dir);
  await mkdir(folder, { recursive: true });
  const unlock = await lockFile(join(folder, ".lock"), {
    signal,
    onWait: () => options.onProgress("Waiting for another bench"),
  });
  try {
    if (await exists(dir)) return { ...base, reused: true };
    for (const old of await readdir(folder)) {
      if (old.startsWith("stock-")) await rm(join(folder, old), { recursive: true });
    }
    const unfinished = `${dir}.tmp`;
    await mkdir(unfinished);
    await makeBase(describe(image, memoryBytes, unfinished), options);
    await rename(unfinished, dir);
    return { ...base, reused: false };
  } finally {
    await unlock();
  }
}

/** Whether such a base is kept: to make one takes minutes. */
export async function hasStockBase(options: {
  image: Image;
  memoryBytes: number;
  folder: string;
}): Promise<boolean> {
  return exists(join(options.folder, await nameOf(options.image, options.memoryBytes)));
}

/** Stock machines that boot, for which no base has to be made. */
export async function stockFromPowerOn(options: {
  image: Image;
  memoryBytes: number;
  folder: string;
}): Promise<Pick<StockBase, "fromPowerOn">> {
  const { image, memoryBytes, folder } = options;
  const dir = join(folder, "power-on");
  await mkdir(dir, { recursive: true });
  const { fromPowerOn } = describe(image, memoryBytes, dir);
  await writeTree(image, fromPowerOn);
  return { fromPowerOn };
}

function describe(image: Image, memoryBytes: number, dir: string): StockBase {
  const { cmdline } = image.manifest.machine;
  const files = { image: image.dir, fsJson: join(dir, "fs.json") };
  const parameters = { memoryBytes, cmdline, twoPhase: false, network: null };
  return {
    fromPowerOn: { ...parameters, files: { ...files, state: null } },
    fromState: { ...parameters, files: { ...files, state: join(dir, "state.bin") } },
  };
}

async function makeBase(
  { fromPowerOn, fromState }: StockBase,
  options: { image: Image; signal: AbortSignal; onProgress(title: string): void },
): Promise<void> {
  const { image, signal, onProgress } = options;
  await writeTree(image, fromPowerOn);

  onProgress("booting");
  const machine = await StockMachine.start(fromPowerOn, signal);
  try {
    for (const { title, script } of WARM_UP) {
      signal.throwIfAborted();
      onProgress(`warming up ${title}`);
      await machine.run(script);
    }
    onProgress("saving");
    await machine.run(ZERO_FREE_MEMORY);
    for (const { script } of WARM_UP) await machine.run(script);
    await machine.call("saveTo", { path: fromState.files.state ?? "" });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await machine.stop();
  }
}

async function writeTree(image: Image, { files }: StockStart): Promise<void> {
  const tree = JSON.parse(await readFile(image.fsJson, "utf8")) as FsJson;
  const plain = { ...tree, fsroot: without(tree.fsroot, MOM_INIT) };
  await writeFile(files.fsJson, JSON.stringify(plain));
}

/** The tree without one path of it. */
function without(nodes: FsJsonNode[], [name, ...rest]: readonly string[]): FsJsonNode[] {
  return nodes.flatMap((node) => {
    if (node[0] !== name) return [node];
    if (rest.length === 0) return [];
    const children = node[6];
    if (!Array.isArray(children)) return [node];
    const kept = without(children as FsJsonNode[], rest);
    return [[node[0], node[1], node[2], node[3], node[4], node[5], kept]];
  });
}

async function nameOf(image: Image, memoryBytes: number): Promise<string> {
  const packageFile = createRequire(import.meta.url).resolve("v86/package.json");
  const { version } = JSON.parse(await readFile(packageFile, "utf8")) as { version: string };
  const made = JSON.stringify([FORMAT, image.id, memoryBytes, version, WARM_UP, ZERO_FREE_MEMORY]);
  return `stock-${createHash("sha256").update(made).digest("hex").slice(0, 16)}`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
