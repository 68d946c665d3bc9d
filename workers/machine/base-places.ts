import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { type BasePlaces, PAGE_BYTES, pageOf } from "./base-pages.ts";
import type { PageSet } from "./memory.ts";

/** The image names its files by their content. */
const IMAGE_FILE = /^[0-9a-f]{24}\.bin$/;

/** Find the pages that stand in the image's files; the others are returned in `own`, one after another. */
export function placePages(
  imageFiles: string,
  { numbers, contents }: PageSet,
): { places: BasePlaces; own: Uint8Array } {
  const wanted = new Map<string, { file: number; page: number } | undefined>();
  const hashes = [...numbers.keys()].map((index) => hashOf(pageOf(contents, index)));
  for (const hash of hashes) wanted.set(hash, undefined);

  const files: string[] = [];
  const buffer = Buffer.alloc(PAGE_BYTES);
  for (const name of readdirSync(imageFiles).sort()) {
    if (!IMAGE_FILE.test(name)) continue;
    let isNamed = false;
    for (const page of pagesOf(join(imageFiles, name), buffer)) {
      const hash = hashOf(buffer);
      if (!wanted.has(hash) || wanted.get(hash) !== undefined) continue;
      if (!isNamed) files.push(name);
      isNamed = true;
      wanted.set(hash, { file: files.length, page });
    }
  }

  const places = new Uint32Array(numbers.length * 2);
  const own: Uint8Array[] = [];
  for (const [index, hash] of hashes.entries()) {
    const found = wanted.get(hash);
    places.set(found ? [found.file, found.page] : [0, own.length], index * 2);
    if (!found) own.push(pageOf(contents, index));
  }
  return { places: { files, places }, own: Buffer.concat(own) };
}

/** True when each of `pageCount` pages has a place, in a file that is named and can only be one of the image's. */
export function arePlaces({ files, places }: BasePlaces, pageCount: number): boolean {
  if (places.length !== pageCount * 2) return false;
  for (let index = 0; index < pageCount; index++) {
    if ((places[index * 2] ?? 0) > files.length) return false;
  }
  return files.every((name) => IMAGE_FILE.test(name));
}

/** Reads one page after another into `buffer`, and yields their numbers. */
function* pagesOf(path: string, buffer: Buffer): Generator<number> {
  const descriptor = openSync(path, "r");
  try {
    for (let page = 0; ; page++) {
      const bytes = readSync(descriptor, buffer, 0, PAGE_BYTES, page * PAGE_BYTES);
      if (bytes === 0) return;
      buffer.fill(0, bytes);
      yield page;
    }
  } finally {
    closeSync(descriptor);
  }
}

function hashOf(page: Uint8Array): string {
  return createHash("sha256").update(page).digest("base64");
}
