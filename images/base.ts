import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { MachineError } from "../workers/machine/api.ts";
import { baseBytes, readBase } from "../workers/machine/base-file.ts";
import { hasEmulatorCode } from "../workers/machine/emulator-code.ts";
import { Machine } from "../workers/machine/machine.ts";
import type { NetworkParameters, StartParameters } from "../workers/machine/messages.ts";
import { OUT_DIRECTORY } from "../workers/machine/out-files.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import { lockFile } from "./lock.ts";

/**
 * The base of an image: booted, warmed up and saved. It is named by what it depends on: the image, the memory, the
 * emulator and the form of its state.
 */

/** Raise when a base of an earlier Mom cannot be used any more. */
const BASE_FORMAT = 18;
const IDLE_AFTER_MS = 60_000;
/** The guest gets its address, and reaches nothing. */
const CLOSED_NETWORK: NetworkParameters = { backend: "none", rules: "", hostPorts: [], limits: {} };
const DEFAULT_QUOTA = { bytes: 1 << 30, inodes: 200_000 };

const SMALL_TOOLS =
  "awk basename cat chmod cp cut date df dirname du env find grep gzip head id ls mkdir mktemp mv ps readlink rm sed sleep sort stat tail tar tee touch tr uniq wc xargs";

/** Each interpreter and tool once, so that their files are in the guest's page cache from the first turn on. */
export const WARM_UP = [
  { title: "the shell", script: "ls -la / >/dev/null; cat /etc/os-release | wc -l; uname -a" },
  {
    title: "the small tools",
    script: `for tool in ${SMALL_TOOLS}; do $tool --version </dev/null >/dev/null 2>&1; done; true`,
  },
  {
    title: "Python",
    script: "python3 -c 'import json, csv, re, sys, os, math, datetime; print(sys.version)'",
  },
  { title: "Node.js", script: "node -e 'console.log(process.version)'" },
  { title: "git", script: "git --version; git config --global init.defaultBranch main" },
  { title: "curl", script: "curl --version" },
] as const;
/**
 * Free memory still holds what the firmware loaded and the kernel unpacked: 6 MB that do not compress. Filled
 * with zeros once, all but a reserve that keeps the page cache as it is. The limit of the turns' cgroup is lifted for
 * that time: what they read counts for it, and to make room for the zeros the kernel gave up Python's pages. Then every
 * thread read them in anew, stored them, and had them elsewhere in memory, where no compiled code is kept for them.
 */
export const ZERO_FREE_MEMORY = `
  limit=/sys/fs/cgroup/mom/memory.max
  [ ! -e $limit ] || { limit_bytes=$(cat $limit); echo max >$limit; }
  free_kib=$(awk '/^MemFree:/ { print $2 }' /proc/meminfo)
  bytes=$(((free_kib - 10240) * 1024))
  head -c $bytes /dev/zero | tail -c $bytes | wc -c
  [ ! -e $limit ] || echo $limit_bytes >$limit`;

/** The lease comes while the shell starts. Then the gateway's address is known, too. */
const NETWORK_UP = {
  title: "the network",
  script: `
    for i in $(seq 100); do grep -q nameserver /etc/resolv.conf && break; sleep 0.1; done
    ping -c 1 -W 5 10.0.2.2 >/dev/null || { echo "no answer from the gateway" >&2; exit 1; }`,
};
/** There from the first turn on: `cp result.csv ~/out` would make a file of that name. */
const OUT_FOLDER = { title: "the folder of results", script: `mkdir -p ${OUT_DIRECTORY}` };
const NODE_SNAPSHOT = {
  title: "a snapshot of Node.js' start",
  script: "/usr/lib/mom/node-snapshot",
};
const WARM_UP_TIMEOUT_MS = 120_000;

export interface Base {
  id: string;
  dir: string;
  bytes: number;
}

export interface BuildBaseOptions {
  image: Image;
  dataDir: string;
  memoryBytes?: number;
  signal?: AbortSignal;
  /** `step` of `steps`, and what goes on in it. */
  onProgress(progress: { step: number; steps: number; title: string }): void;
  onConsole?(text: string): void;
}

/** The base of an image, if it was built. */
export async function findBase(
  image: Image,
  dataDir: string,
  memoryBytes = image.manifest.machine.memoryBytes,
): Promise<Base | undefined> {
  const id = await baseId(image, memoryBytes);
  const dir = join(basesFolder(dataDir), id);
  const bytes = await baseBytes(dir);
  return bytes === undefined ? undefined : { id, dir, bytes };
}

/**
 * Boot an image, warm it up and save it; or find that done.
 *
 * @throws MachineError START_FAILED when the guest does not come up; ImageError ABORTED.
 */
export async function buildBase(options: BuildBaseOptions): Promise<Base & { reused: boolean }> {
  const { image, dataDir, signal } = options;
  const memoryBytes = options.memoryBytes ?? image.manifest.machine.memoryBytes;
  const folder = basesFolder(dataDir);
  await mkdir(folder, { recursive: true });
  const known = await findWholeBase(image, dataDir, memoryBytes);
  if (known !== undefined && (await hasEmulatorCode(known.dir))) return { ...known, reused: true };
  const unlock = await lockFile(join(folder, ".lock"), {
    ...(signal === undefined ? {} : { signal }),
    onWait: () => options.onProgress({ step: 0, steps: 0, title: "Waiting for another build" }),
  });
  try {
    const built = await findWholeBase(image, dataDir, memoryBytes);
    if (built !== undefined) {
      if (!(await hasEmulatorCode(built.dir))) await addEmulatorCode(options, built, memoryBytes);
      return { ...built, reused: true };
    }
    await removeUnfinished(folder);
    const id = await baseId(image, memoryBytes);
    const dir = join(folder, id);
    const bytes = await bootAndSave(options, id, dir, memoryBytes);
    return { id, dir, bytes, reused: false };
  } finally {
    await unlock();
  }
}

/** As `findBase`, and every byte is looked at: a damaged base counts as none, so that it is built again. */
async function findWholeBase(
  image: Image,
  dataDir: string,
  memoryBytes: number,
): Promise<Base | undefined> {
  const base = await findBase(image, dataDir, memoryBytes);
  if (base === undefined) return undefined;
  try {
    await readBase(base.dir);
    return base;
  } catch (error) {
    if (error instanceof MachineError) return undefined;
    throw error;
  }
}

/** What a machine needs to start from this image: from its base, or from power-on where `base` is null. */
export function machineParameters(
  image: Image,
  base: Base | null,
  options: {
    dataDir: string;
    memoryBytes?: number;
    quota?: { bytes: number; inodes: number };
    idleAfterMs?: number;
    /** Trusted besides the usual ones: PEM. */
    certificates?: string;
    /** Without it the network leads nowhere. */
    network?: NetworkParameters;
  },
): StartParameters {
  return {
    files: {
      image: image.dir,
      base: base?.dir ?? null,
      blobs: join(options.dataDir, "blobs"),
      scratch: join(options.dataDir, "scratch"),
      bases: base === null ? basesFolder(options.dataDir) : null,
    },
    memoryBytes: options.memoryBytes ?? image.manifest.machine.memoryBytes,
    cmdline: image.manifest.machine.cmdline,
    quota: options.quota ?? DEFAULT_QUOTA,
    idleAfterMs: options.idleAfterMs ?? IDLE_AFTER_MS,
    certificates: options.certificates ?? "",
    network: options.network ?? CLOSED_NETWORK,
  };
}

function basesFolder(dataDir: string): string {
  return join(dataDir, "bases");
}

async function bootAndSave(
  options: BuildBaseOptions,
  id: string,
  dir: string,
  memoryBytes: number,
): Promise<number> {
  const { image, dataDir, signal } = options;
  const warmUp = [NETWORK_UP, OUT_FOLDER, NODE_SNAPSHOT, ...WARM_UP];
  const steps = warmUp.length + 2;
  const says = (step: number, title: string): void => {
    if (signal?.aborted) throw new ImageError("ABORTED", "Stopped.");
    options.onProgress({ step, steps, title });
  };

  says(1, "Booting the guest");
  let console = "";
  const machine = await Machine.start(
    machineParameters(image, null, { dataDir, memoryBytes }),
    (text) => {
      console = (console + text).slice(-4_000);
      options.onConsole?.(text);
    },
  ).catch((error: unknown) => {
    if (error instanceof MachineError && console !== "") {
      error.message += `; the guest's console ends with:\n${console.trimEnd()}`;
    }
    throw error;
  });
  const stop = (): void => {
    machine.stop().catch(() => {});
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (const [index, { title, script }] of warmUp.entries()) {
      says(index + 2, `Warming up ${title}`);
      const result = await machine.exec(script, { timeoutMs: WARM_UP_TIMEOUT_MS });
      if (result.failed) {
        throw new MachineError(
          "START_FAILED",
          `${title} does not work in this image: ${Buffer.from(result.stderr).toString().trim() || `exit ${result.exitCode}`}`,
        );
      }
    }
    says(steps, "Saving the base");
    await machine.exec(ZERO_FREE_MEMORY);
    // What the kernel gave up for it is read in again, into memory that is zero where nothing is.
    for (const { script } of WARM_UP) await machine.exec(script, { timeoutMs: WARM_UP_TIMEOUT_MS });
    // The guest read whole seconds from its clock chip; from here on its time follows ours.
    await machine.exec(`date --set=@${Date.now() / 1000}`);
    const { bytes } = await machine.saveBase(dir, id);
    await machine.saveCode(dir);
    return bytes;
  } catch (error) {
    if (signal?.aborted) throw new ImageError("ABORTED", "Stopped.", { cause: error });
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await machine.stop();
  }
}

/** For a base that has none of this Mom on this Node.js: its machines would start later. */
async function addEmulatorCode(
  { image, dataDir, onProgress }: BuildBaseOptions,
  base: Base,
  memoryBytes: number,
): Promise<void> {
  onProgress({ step: 1, steps: 1, title: "Compiling the emulator" });
  const { files, ...parameters } = machineParameters(image, base, { dataDir, memoryBytes });
  const machine = await Machine.start({
    ...parameters,
    files: { ...files, bases: basesFolder(dataDir) },
  });
  try {
    // Some of it is compiled when a guest first needs it.
    await machine.exec("python3 -c 'import json'; node -e 1", { timeoutMs: WARM_UP_TIMEOUT_MS });
    await machine.saveCode(base.dir);
  } finally {
    await machine.stop();
  }
}

async function baseId(image: Image, memoryBytes: number): Promise<string> {
  const packageFile = createRequire(import.meta.url).resolve("v86/package.json");
  const { version } = JSON.parse(await readFile(packageFile, "utf8")) as { version: string };
  return createHash("sha256")
    .update(JSON.stringify([BASE_FORMAT, image.id, memoryBytes, version]))
    .digest("hex")
    .slice(0, 16);
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(".tmp")) await rm(join(folder, name), { recursive: true, force: true });
  }
}
