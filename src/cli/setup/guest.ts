import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ImageInfo } from "../../../images/build.ts";
import { ImageError } from "../../../images/errors.ts";
import {
  findImage,
  type Image,
  imagesFolder,
  openImage,
  verifyImage,
} from "../../../images/image.ts";
import type { Environment } from "../../config/environment.ts";
import { runSteps } from "../steps.ts";
import { imageStep, megabytes } from "./image-step.ts";
import { systemPackagesStep } from "./index.ts";

export interface GuestOptions {
  dataDir: string;
  rootfs?: string;
  install: boolean;
  env: Environment;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/** The system packages that a build needs, then image and base. */
export async function prepareGuest(options: GuestOptions): Promise<ImageInfo> {
  let built: ImageInfo | undefined;
  await runSteps(
    [
      ...systemPackagesStep({ ...options, purposes: ["image"] }),
      imageStep({
        ...options,
        onBuilt: (image) => {
          built = image;
        },
      }),
    ],
    options,
  );
  if (!built) throw new ImageError("BUILD_FAILED", "The build ended without an image.");
  return built;
}

export interface ListedImage {
  id: string;
  dir: string;
  builtAt: string;
  size: string;
  /** `complete`, or what is wrong with it. */
  state: string;
}

export async function listedImages(dataDir: string): Promise<ListedImage[]> {
  const folder = imagesFolder(dataDir);
  const names = existsSync(folder) ? await readdir(folder) : [];
  const ids = names.filter((name) => /^[0-9a-f]{16}$/.test(name)).sort();
  return Promise.all(ids.map((id) => listed(id, join(folder, id))));
}

async function listed(id: string, dir: string): Promise<ListedImage> {
  try {
    const { manifest } = await openImage(dir);
    const size = megabytes(manifest.files.bytes);
    return { id, dir, builtAt: manifest.builtAt, size, state: "complete" };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { id, dir, builtAt: "-", size: "-", state: error.message };
  }
}

/** Checks an image by id or folder, or the newest. Throws `ImageError`. */
export async function verifiedImage(dataDir: string, name: string | undefined): Promise<Image> {
  if (name === undefined) {
    const newest = await findImage(dataDir);
    if (newest) return verifyImage(newest.dir);
    throw new ImageError("IMAGE_MISSING", "There is no image yet. Run: ./mom image build");
  }
  return verifyImage(name.includes("/") ? name : join(imagesFolder(dataDir), name));
}
