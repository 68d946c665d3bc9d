import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type BlobStore, DiskBlobStore } from "../ninep/blob-store.ts";
import { MachineError } from "./api.ts";
import { RandomSource } from "./kernel-random.ts";

/**
 * A base on disk: a folder with `state.zst`; in `pages` the pages of RAM that do not stand in the image's files, not
 * compressed, so that machines can read any of them at any time; the blobs that it needs; and `base.json`, which names
 * its content and is written last. The folder gets its name when all are on disk, so one that is there is whole.
 */

const BaseRecord = z.object({
  format: z.literal(4),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  memoryBytes: z.number().int().positive(),
  /** Absent: the guest has to be asked for new randomness. */
  random: RandomSource.optional(),
  stateBytes: z.number().int().positive(),
  stateSha256: z.string().regex(/^[0-9a-f]{64}$/),
  pagesBytes: z.number().int().nonnegative(),
  pagesSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of the memory as a whole, with what stands in the image's files (`memoryChecksum`). */
  memoryCrc32: z.number().int().nonnegative(),
});
export type BaseRecord = z.infer<typeof BaseRecord>;

const STATE_FILE = "state.zst";
const PAGES_FILE = "pages";
const RECORD_FILE = "base.json";
const READ_BYTES = 1 << 20;

export async function writeBase(
  folder: string,
  { state, pages }: { state: Uint8Array; pages: Uint8Array },
  known: Pick<BaseRecord, "id" | "memoryBytes" | "memoryCrc32" | "random">,
  blobs: { from: BlobStore; hashes: readonly string[] },
): Promise<void> {
  const record: BaseRecord = {
    format: 4,
    ...known,
    stateBytes: state.length,
    stateSha256: sha256(state),
    pagesBytes: pages.length,
    pagesSha256: sha256(pages),
  };
  const unfinished = `${folder}.${process.pid}.tmp`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await writeDurably(join(unfinished, STATE_FILE), state);
  await writeDurably(join(unfinished, PAGES_FILE), pages);
  const own = baseBlobs(unfinished);
  for (const hash of blobs.hashes) own.put(hash, blobs.from.get(hash));
  await writeDurably(join(unfinished, RECORD_FILE), JSON.stringify(record, null, 2));
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  const parent = await open(dirname(folder));
  await parent.sync();
  await parent.close();
}

/** The contents of files that were written before the base was saved: its own, so that it is whole by itself. */
export function baseBlobs(folder: string): BlobStore {
  return new DiskBlobStore(join(folder, "blobs"));
}

/**
 * Not its name, which is that of its recipe: a base that is built again has other pages, and a sandbox saved over the
 * first must not be put over them.
 */
export function contentId({ stateSha256, pagesSha256 }: BaseRecord): string {
  return sha256(Buffer.from(stateSha256 + pagesSha256, "hex"));
}

/** How large a base is, without looking into it; `undefined` where there is none. */
export async function baseBytes(folder: string): Promise<number | undefined> {
  try {
    const files = [STATE_FILE, PAGES_FILE].map((name) => stat(join(folder, name)));
    return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
  } catch {
    return undefined;
  }
}

/**
 * Every byte is looked at; the pages stay in their file.
 *
 * @throws MachineError BAD_IMAGE, naming the file that is missing or damaged.
 */
export async function readBase(
  folder: string,
): Promise<{ record: BaseRecord; state: Uint8Array; pagesPath: string }> {
  const base = await readBaseState(folder);
  const { record, pagesPath } = base;
  requireContent(pagesPath, record.pagesBytes, record.pagesSha256, await digest(pagesPath));
  return base;
}

/** As `readBase`, but of the pages' file only its size: whoever loads the pages checks the memory that they make. */
export async function readBaseState(
  folder: string,
): Promise<{ record: BaseRecord; state: Uint8Array; pagesPath: string }> {
  const record = await readRecord(join(folder, RECORD_FILE));
  const path = join(folder, STATE_FILE);
  const state = await readFile(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  requireContent(path, record.stateBytes, record.stateSha256, {
    bytes: state.length,
    sha256: sha256(state),
  });
  const pagesPath = join(folder, PAGES_FILE);
  const { size } = await stat(pagesPath).catch((cause) => {
    throw unreadable(pagesPath, cause);
  });
  requireContent(pagesPath, record.pagesBytes, "", { bytes: size, sha256: "" });
  return { record, state, pagesPath };
}

function requireContent(
  path: string,
  bytes: number,
  sha256: string,
  found: { bytes: number; sha256: string },
): void {
  if (found.bytes !== bytes) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is damaged: ${path} has ${found.bytes} bytes instead of ${bytes}; build it again with: ./mom image build`,
    );
  }
  if (found.sha256 !== sha256) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is damaged: ${path} is not what was written; build it again with: ./mom image build`,
    );
  }
}

function unreadable(path: string, cause: unknown): MachineError {
  return new MachineError("BAD_IMAGE", `the base is incomplete: ${path} cannot be read`, { cause });
}

/** Of a file that need not be in memory as a whole. */
async function digest(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function readRecord(path: string): Promise<BaseRecord> {
  try {
    return BaseRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is missing or incomplete (${path}); build it with: ./mom image build`,
      { cause },
    );
  }
}

async function writeDurably(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
