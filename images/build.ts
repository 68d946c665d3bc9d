import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Firmware, findFirmware } from "../bios/seabios.ts";
import { matcher, treeFromTar } from "./convert.ts";
import * as recipe from "./debian/recipe.ts";
import { debianRoot } from "./debian/root-tree.ts";
import { type DebianSources, findSources, installFrom } from "./debian/sources.ts";
import { openTarball } from "./decompress.ts";
import { ImageError } from "./errors.ts";
import { FlatFiles } from "./flat-files.ts";
import { toFsJson } from "./fs-json.ts";
import {
  findBuilt,
  type Image,
  imagesFolder,
  openImage,
  touchImage,
  verifyImage,
} from "./image.ts";
import { type KernelParts, takeKernel } from "./kernel.ts";
import { lockFile } from "./lock.ts";
import type { Manifest, PartName } from "./manifest.ts";
import { parseList } from "./modules.ts";
import { overlayGuest, overlayNpm } from "./overlay.ts";
import { aborted, run } from "./process.ts";
import { type BuildStep, type ProgressEvent, STEP_TITLES } from "./progress.ts";
import { type DirectoryNode, walk } from "./tree.ts";

export interface BuildOptions {
  /** Mom's data folder; images go below `images/`. */
  dataDir: string;
  /** A root tarball (plain, gzip, xz or zstd) with a kernel in it, instead of Debian's packages. */
  rootfs?: string;
  /** Also where there is an image of the same recipe: with the packages that Debian has now. */
  fresh?: boolean;
  signal?: AbortSignal;
  onProgress(event: ProgressEvent): void;
}

export interface ImageInfo {
  id: string;
  dir: string;
  manifest: Manifest;
  warnings: string[];
  /** True when a finished image of the same recipe was there already. */
  reused: boolean;
  /** Bytes of all parts and files. */
  bytes: number;
}

/**
 * Build the guest image, or find it built. It is made in a folder of its own and renamed at the very end, so a
 * build that is stopped at any moment leaves nothing that looks finished.
 *
 * @example
 * const { dir } = await buildImage({ dataDir: "/var/lib/mom", onProgress: console.log });
 */
export async function buildImage(options: BuildOptions): Promise<ImageInfo> {
  const { dataDir, rootfs, signal, onProgress } = options;
  const folder = imagesFolder(dataDir);
  await mkdir(folder, { recursive: true });
  const files = await recipe.recipeFiles(import.meta.dirname);
  const firmware = await findFirmware();
  const rootfsSha256 = rootfs === undefined ? null : await hashFile(rootfs);
  const wanted = { recipe: recipe.recipeHash(files), rootfsSha256 };

  const findKnown = async () => (options.fresh ? undefined : reuse(dataDir, wanted));
  const known = await findKnown();
  if (known !== undefined) return known;
  const unlock = await lockFile(join(folder, ".lock"), {
    ...(signal === undefined ? {} : { signal }),
    onWait: () => onProgress({ kind: "start", step: "wait", title: STEP_TITLES.wait }),
  });
  try {
    // Whoever held the lock may have built just this.
    const built = await findKnown();
    if (built !== undefined) return built;
    await removeDeadBuilds(folder);
    const workDir = join(folder, `${WORK_PREFIX}${process.pid}-${randomBytes(4).toString("hex")}`);
    const context = { ...options, ...wanted, workDir, files, firmware };
    return await buildIn(context, folder);
  } finally {
    await unlock();
  }
}

const WORK_PREFIX = ".build-";
const NO_SOURCES: DebianSources = { lines: [], warnings: [] };

async function reuse(
  dataDir: string,
  wanted: { recipe: string; rootfsSha256: string | null },
): Promise<ImageInfo | undefined> {
  const image = await findBuilt(dataDir, wanted);
  if (image === undefined) return undefined;
  await touchImage(image, new Date());
  return info(image, true);
}

interface BuildContext extends BuildOptions {
  workDir: string;
  files: ReadonlyMap<string, Uint8Array>;
  firmware: Firmware;
  recipe: string;
  rootfsSha256: string | null;
}

async function buildIn(context: BuildContext, folder: string): Promise<ImageInfo> {
  const { workDir, signal } = context;
  await mkdir(workDir);
  try {
    const id = await new Build(context).run();
    signal?.throwIfAborted();
    const dir = join(folder, id);
    // The same content may be there already, in use even; it only makes room when it is damaged.
    const existing = await verifyImage(dir).catch(() => undefined);
    if (existing !== undefined) {
      await touchImage(existing, new Date());
      return info(existing, false);
    }
    await removeTree(dir);
    await rename(join(workDir, "image"), dir);
    await sync(folder);
    return info(await openImage(dir), false);
  } catch (error) {
    if (signal?.aborted) throw aborted(signal);
    throw diskFull(error) ?? error;
  } finally {
    await removeTree(workDir);
  }
}

/** One build, from nothing to a complete folder `image` in its work folder. */
class Build {
  readonly #context: BuildContext;
  readonly #warnings: string[] = [];
  readonly #durationsMs: Record<string, number> = {};

  constructor(context: BuildContext) {
    this.#context = context;
  }

  async run(): Promise<string> {
    const { workDir, signal, files, rootfs, rootfsSha256 } = this.#context;
    const image = join(workDir, "image");
    await mkdir(image);
    const flat = await FlatFiles.create(join(image, "files"));

    const sources =
      rootfs === undefined ? await this.#step("sources", () => this.#sources()) : NO_SOURCES;
    const { tree: root, lines } = await this.#step("root", () =>
      installFrom(
        sources,
        (lines) => this.#root(flat, lines),
        (warning) => this.#warn(warning),
      ),
    );
    const packages = await takePackages(root, flat);
    const npm = rootfs === undefined ? await this.#step("npm", () => this.#npm(root, flat)) : null;
    await overlayGuest(root, flat, guestFiles(files), newestTime(root));
    const kernel = await this.#step("kernel", () =>
      takeKernel(root, flat, {
        keepModules: parseList(text(files, "debian/modules.txt")),
        init: bytes(files, "initramfs/init.sh"),
        rootFlags: recipe.MACHINE.rootFlags,
      }),
    );
    signal?.throwIfAborted();
    return this.#step("finish", async () => {
      const inputs = { packages, sources: lines, rootfsSha256, npm };
      return this.#finish(image, root, flat, kernel, inputs);
    });
  }

  async #sources(): Promise<DebianSources> {
    const { workDir, signal } = this.#context;
    const sources = await findSources({
      workDir,
      ...(signal === undefined ? {} : { signal }),
      onNote: (detail) => this.#progress("sources", detail),
    });
    for (const warning of sources.warnings) this.#warn(warning);
    return sources;
  }

  #root(flat: FlatFiles, sourceLines: string[]): Promise<DirectoryNode> {
    const { rootfs, workDir, signal } = this.#context;
    const isExcluded = matcher([...recipe.EXCLUDED, ...LEFTOVERS_BUT_OURS]);
    const withSignal = signal === undefined ? {} : { signal };
    const source =
      rootfs === undefined
        ? debianRoot({
            workDir,
            recipeDir: join(import.meta.dirname, "debian"),
            sourceLines,
            ...withSignal,
            onStage: (stage, fraction) => this.#progress("root", stage, fraction),
          })
        : openTarball(rootfs, signal);
    return treeFromTar(source, flat, isExcluded);
  }

  async #npm(root: DirectoryNode, flat: FlatFiles): Promise<string | null> {
    const { workDir, signal } = this.#context;
    try {
      await overlayNpm(root, flat, recipe.NPM, workDir, signal);
      return recipe.NPM.version;
    } catch (error) {
      if (signal?.aborted || !(error instanceof ImageError)) throw error;
      const [reason] = error.message.split("\n");
      this.#warn(`npm is left out of the image, it cannot be had now: ${reason}`);
      return null;
    }
  }

  async #finish(
    image: string,
    root: DirectoryNode,
    flat: FlatFiles,
    kernel: KernelParts,
    inputs: Pick<Manifest["inputs"], "packages" | "sources" | "rootfsSha256" | "npm">,
  ): Promise<string> {
    const { firmware, files } = this.#context;
    const index: Manifest["files"]["index"] = {};
    for (const { node } of walk(root)) {
      if (node.kind !== "file") continue;
      index[node.flat] = { size: node.size, sha256: flat.hashes.get(node.flat) ?? "" };
    }
    await flat.keepOnly(new Set(Object.keys(index)));

    const data: Record<PartName, Uint8Array> = {
      kernel: kernel.kernel,
      initramfs: kernel.initramfs,
      "bios.bin": firmware.bios,
      "vgabios.bin": firmware.vgaBios,
      "fs.json": Buffer.from(JSON.stringify(toFsJson(root))),
    };
    const part = (name: PartName) => ({
      size: data[name].length,
      sha256: recipe.sha256(data[name]),
    });
    const parts = {
      kernel: part("kernel"),
      initramfs: part("initramfs"),
      "bios.bin": part("bios.bin"),
      "vgabios.bin": part("vgabios.bin"),
      "fs.json": part("fs.json"),
    };
    // fs.json names every content by its hash, so the parts and the recipe identify the whole.
    const id = recipe
      .sha256(Buffer.from(JSON.stringify([this.#context.recipe, parts])))
      .slice(0, 16);
    const { rootFlags, ...machine } = recipe.MACHINE;
    const sizes = Object.values(index).map(({ size }) => size);
    const manifest: Manifest = {
      version: 1,
      id,
      recipe: this.#context.recipe,
      builtAt: new Date().toISOString(),
      kernelVersion: kernel.version,
      machine: { ...machine, rootFlags },
      parts,
      files: { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0), index },
      inputs: {
        builder: recipe.BUILDER_VERSION,
        suite: recipe.SUITE,
        modules: kernel.modules,
        ...inputs,
        recipeFiles: Object.fromEntries(
          [...files].map(([name, content]) => [name, recipe.sha256(content)]),
        ),
      },
      warnings: this.#warnings,
      durationsMs: this.#durationsMs,
    };
    for (const [name, content] of Object.entries(data)) await writeFile(join(image, name), content);
    await writeFile(join(image, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
    await sync(image);
    return id;
  }

  async #step<Result>(step: BuildStep, work: () => Promise<Result>): Promise<Result> {
    const { onProgress, signal } = this.#context;
    signal?.throwIfAborted();
    onProgress({ kind: "start", step, title: STEP_TITLES[step] });
    const start = performance.now();
    const result = await work();
    const durationMs = Math.round(performance.now() - start);
    this.#durationsMs[step] = durationMs;
    onProgress({ kind: "done", step, durationMs });
    return result;
  }

  #progress(step: BuildStep, detail: string, fraction?: number): void {
    const event = { kind: "progress", step, detail } as const;
    this.#context.onProgress(fraction === undefined ? event : { ...event, fraction });
  }

  #warn(message: string): void {
    this.#warnings.push(message);
    this.#context.onProgress({ kind: "warning", message });
  }
}

/** The kernel and the package list are read out of the tree before they go. */
const LEFTOVERS_BUT_OURS = recipe.LEFTOVERS.filter(
  (glob) => glob !== "/boot/*" && glob !== "/packages.txt",
);

async function takePackages(root: DirectoryNode, flat: FlatFiles): Promise<string[]> {
  const node = root.children.get("packages.txt");
  if (node?.kind !== "file") return [];
  root.children.delete("packages.txt");
  return parseList((await flat.read(node.flat)).toString()).sort();
}

/** Our files carry the time of the tree they are put into, so that equal inputs give equal images. */
function newestTime(root: DirectoryNode): number {
  let newest = 0;
  for (const { node } of walk(root)) newest = Math.max(newest, node.mtime);
  return newest;
}

function guestFiles(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const prefix = "guest/";
  return new Map(
    [...files]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, data]) => [name.slice(prefix.length), data]),
  );
}

function bytes(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const data = files.get(name);
  if (data === undefined) throw new ImageError("BUILD_FAILED", `images/${name} is missing.`);
  return data;
}

function text(files: ReadonlyMap<string, Uint8Array>, name: string): string {
  return Buffer.from(bytes(files, name)).toString();
}

/** The lock is ours, so every other build folder belongs to a build that died. */
async function removeDeadBuilds(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(WORK_PREFIX)) await removeTree(join(folder, name));
  }
}

/** A root tree may have had other file systems mounted in it: whatever happens, those are not emptied. */
async function removeTree(folder: string): Promise<void> {
  await run("rm", ["--recursive", "--force", "--one-file-system", "--", folder]);
}

/** Everything below on disk: one sync of the file system instead of one for each of thousands of files. */
async function sync(folder: string): Promise<void> {
  await run("sync", ["--file-system", folder]);
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk);
  } catch (cause) {
    throw new ImageError("BAD_ARCHIVE", `The root tarball ${path} cannot be read.`, { cause });
  }
  return hash.digest("hex");
}

function diskFull(error: unknown): ImageError | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const isFull = code === "ENOSPC" || code === "EDQUOT" || /No space left/.test(String(error));
  if (!isFull) return undefined;
  return new ImageError(
    "DISK_FULL",
    "The disk is full: an image needs about 1.5 GB while it is built.",
    {
      cause: error,
    },
  );
}

function info(image: Image, reused: boolean): ImageInfo {
  const { id, dir, manifest } = image;
  const parts = Object.values(manifest.parts).reduce((sum, { size }) => sum + size, 0);
  const bytes = parts + manifest.files.bytes;
  return { id, dir, manifest, warnings: manifest.warnings, reused, bytes };
}
