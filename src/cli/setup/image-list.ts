import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ImageError } from "../../../images/errors.ts";
import { imagesFolder, openImage } from "../../../images/image.ts";

export interface ListedImage {
  id: string;
  dir: string;
  /** ISO 8601; `null` when the image cannot be read. */
  builtAt: string | null;
  bytes: number | null;
  /** `complete`, or what is wrong with it. */
  state: string;
}

/** All images in the data folder, damaged ones too. */
export async function listedImages(dataDir: string): Promise<ListedImage[]> {
  const folder = imagesFolder(dataDir);
  const names = existsSync(folder) ? await readdir(folder) : [];
  const ids = names.filter((name) => /^[0-9a-f]{16}$/.test(name)).sort();
  return Promise.all(ids.map((id) => listed(id, join(folder, id))));
}

async function listed(id: string, dir: string): Promise<ListedImage> {
  try {
    const { manifest } = await openImage(dir);
    const { builtAt, files } = manifest;
    return { id, dir, builtAt, bytes: files.bytes, state: "complete" };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { id, dir, builtAt: null, bytes: null, state: error.message };
  }
}
