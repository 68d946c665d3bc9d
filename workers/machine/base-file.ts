import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type BlobStore, DiskBlobStore } from "../ninep/blob-store.ts";
import { MachineError } from "./api.ts";
import { RandomSource } from "./kernel-random.ts";

/**
 * A base on disk: a folder with `state.zst`, the blobs that it needs, and `base.json`, which names its content and
 * is written last. The folder gets its name when both are on disk, so a folder that is there is whole.
 */

const BaseRecord = z.object({
  format: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  memoryBytes: z.number().int().positive(),
  /** Absent: the guest has to be asked for new randomness. */
  random: RandomSource.optional(),
  stateBytes: z.number().int().positive(),
  stateSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BaseRecord = z.infer<typeof BaseRecord>;

const STATE_FILE = "state.zst";
const RECORD_FILE = "base.json";

export async function writeBase(
  folder: string,
  state: Uint8Array,
  known: Pick<BaseRecord, "id" | "memoryBytes" | "random">,
  blobs: { from: BlobStore; hashes: readonly string[] },
): Promise<void> {
  const record: BaseRecord = {
    format: 1,
    ...known,
    stateBytes: state.length,
    stateSha256: sha256(state),
  };
  const unfinished = `${folder}.${process.pid}.tmp`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await writeDurably(join(unfinished, STATE_FILE), state);
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

/** @throws MachineError BAD_IMAGE, naming the file that is missing or damaged. */
export async function readBase(folder: string): Promise<{ record: BaseRecord; state: Uint8Array }> {
  const record = await readRecord(join(folder, RECORD_FILE));
  const path = join(folder, STATE_FILE);
  const state = await readFile(path).catch((cause) => {
    throw new MachineError("BAD_IMAGE", `the base is incomplete: ${path} cannot be read`, {
      cause,
    });
  });
  if (state.length !== record.stateBytes) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is damaged: ${path} has ${state.length} bytes instead of ${record.stateBytes}; build it again with: ./mom image build`,
    );
  }
  if (sha256(state) !== record.stateSha256) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is damaged: ${path} is not what was written; build it again with: ./mom image build`,
    );
  }
  return { record, state };
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
