import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { recipeFiles, recipeHash } from "./debian/recipe.ts";
import { ImageError } from "./errors.ts";
import { type Manifest, manifestSchema } from "./manifest.ts";

/** A finished image on disk. */
export interface Image {
  id: string;
  dir: string;
  manifest: Manifest;
  kernel: string;
  initramfs: string;
  bios: string;
  vgaBios: string;
  fsJson: string;
  /** Folder of the flat files. */
  files: string;
}

/** Where images are in a data folder. */
export function imagesFolder(dataDir: string): string {
  return join(dataDir, "images");
}

/**
 * Open an image and see that all of it is there: every part and every flat file, each of the size it was built
 * with. Throws `ImageError` `IMAGE_MISSING` or `IMAGE_INCOMPLETE`, naming the file.
 */
export async function openImage(dir: string): Promise<Image> {
  const manifest = await readManifest(dir);
  for (const [name, { size }] of expected(manifest)) {
    // Thousands of files: asking the kernel directly takes a tenth of the time of as many promises.
    const found = statSync(join(dir, name), { throwIfNoEntry: false });
    if (found === undefined) throw incomplete(dir, `${name} is missing`);
    if (found.size !== size) {
      throw incomplete(dir, `${name} has ${found.size} bytes instead of ${size}`);
    }
  }
  return {
    id: manifest.id,
    dir,
    manifest,
    kernel: join(dir, "kernel"),
    initramfs: join(dir, "initramfs"),
    bios: join(dir, "bios.bin"),
    vgaBios: join(dir, "vgabios.bin"),
    fsJson: join(dir, "fs.json"),
    files: join(dir, "files"),
  };
}

/** As `openImage`, and every byte is compared with its hash. Throws `IMAGE_CORRUPT`, naming the file. */
export async function verifyImage(dir: string): Promise<Image> {
  const image = await openImage(dir);
  for (const [name, { sha256 }] of expected(image.manifest)) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(join(dir, name))) hash.update(chunk);
    if (hash.digest("hex") !== sha256) {
      throw new ImageError(
        "IMAGE_CORRUPT",
        `The image ${dir} is damaged: ${name} is not what was built. ${REBUILD}`,
      );
    }
  }
  return image;
}

/**
 * The image that was built last by the recipe of this version of Mom, or undefined. A damaged one counts as
 * none, so that it is built again.
 */
export async function findImage(dataDir: string): Promise<Image | undefined> {
  return findBuilt(dataDir, { recipe: recipeHash(await recipeFiles(import.meta.dirname)) });
}

/** As `findImage`, of any recipe; with `rootfsSha256`, from that tarball, or from Debian's packages for null. */
export async function findBuilt(
  dataDir: string,
  wanted: { recipe: string; rootfsSha256?: string | null },
): Promise<Image | undefined> {
  const folder = imagesFolder(dataDir);
  const names = await readdir(folder).catch(() => []);
  const candidates: { dir: string; usedMs: number }[] = [];
  for (const name of names.filter((candidate) => /^[0-9a-f]{16}$/.test(candidate))) {
    const dir = join(folder, name);
    const manifest = await orUndefined(readManifest(dir));
    if (manifest?.recipe !== wanted.recipe) continue;
    const { rootfsSha256 = manifest.inputs.rootfsSha256 } = wanted;
    if (manifest.inputs.rootfsSha256 !== rootfsSha256) continue;
    candidates.push({ dir, usedMs: (await stat(join(dir, MANIFEST))).mtimeMs });
  }
  candidates.sort((a, b) => b.usedMs - a.usedMs);
  for (const { dir } of candidates) {
    const image = await orUndefined(openImage(dir));
    if (image !== undefined) return image;
  }
  return undefined;
}

/** Make an image the one that was built last, when a build finds it done. */
export async function touchImage(image: Image, now: Date): Promise<void> {
  await utimes(join(image.dir, MANIFEST), now, now);
}

async function orUndefined<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}

const MANIFEST = "manifest.json";
const REBUILD = "Remove the folder and run: ./mom image build";

async function readManifest(dir: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(dir, MANIFEST), "utf8");
  } catch (cause) {
    throw new ImageError("IMAGE_MISSING", `There is no image at ${dir}. Run: ./mom image build`, {
      cause,
    });
  }
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ImageError(
      "IMAGE_INCOMPLETE",
      `The image ${dir} cannot be used: manifest.json is damaged or of another version. ${REBUILD}`,
      { cause },
    );
  }
}

function* expected(manifest: Manifest): Generator<[string, { size: number; sha256: string }]> {
  yield* Object.entries(manifest.parts);
  for (const [name, part] of Object.entries(manifest.files.index)) yield [`files/${name}`, part];
}

function incomplete(dir: string, what: string): ImageError {
  return new ImageError("IMAGE_INCOMPLETE", `The image ${dir} is incomplete: ${what}. ${REBUILD}`);
}
