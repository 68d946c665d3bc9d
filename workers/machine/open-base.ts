import { MachineError } from "./api.ts";
import { contentId, readBase, readBaseState } from "./base-file.ts";
import { FilePages, memoryChecksum } from "./base-pages.ts";
import { filesFolder } from "./image-files.ts";
import type { RandomSource } from "./kernel-random.ts";
import { type Sandbox, unpackBase } from "./sandbox.ts";

export interface OpenBase {
  folder: string;
  id: string;
  sandbox: Sandbox;
  pages: FilePages;
  random: RandomSource | undefined;
  /**
   * Check the memory that the pages were loaded into: the one look at all their bytes.
   *
   * @throws MachineError BAD_IMAGE
   */
  requireWhole(memory: Uint8Array): Promise<void>;
}

/** @throws MachineError BAD_IMAGE, also for a base of another memory size. */
export async function openBase({
  folder,
  image,
  memoryBytes,
}: {
  folder: string;
  image: string;
  memoryBytes: number;
}): Promise<OpenBase> {
  const { record, state, pagesPath } = await readBaseState(folder);
  if (record.memoryBytes !== memoryBytes) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is of a machine with ${record.memoryBytes >> 20} MB of memory, this one has ${memoryBytes >> 20} MB`,
    );
  }
  const { sandbox, numbers, places } = unpackBase(state, memoryBytes);
  const imageFiles = filesFolder(image);
  const pages = new FilePages({ path: pagesPath, imageFiles, numbers, places, memoryBytes });
  const requireWhole = async (memory: Uint8Array): Promise<void> => {
    if (memoryChecksum(memory, numbers) === record.memoryCrc32) return;
    // Names the file, where it is one of the base's own.
    await readBase(folder);
    throw new MachineError(
      "BAD_IMAGE",
      `the base in ${folder} and the image in ${image} do not fit: one of them is damaged; look with: ./mom image verify`,
    );
  };
  return {
    folder,
    id: contentId(record),
    sandbox,
    pages,
    random: record.random,
    requireWhole,
  };
}
