import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { ImageTree } from "../ninep/image-tree.ts";
import { MachineError } from "./api.ts";
import type { BootFiles } from "./emulator.ts";

/** Where the contents of an image's files stand, each named by its hash. */
export function filesFolder(image: string): string {
  return join(image, "files");
}

/** What a machine takes from an image's folder. @throws MachineError BAD_IMAGE, naming what is wrong */

export function openImageTree(folder: string): ImageTree {
  try {
    return ImageTree.open(join(folder, "fs.json"), { folder: filesFolder(folder) });
  } catch (cause) {
    throw badImage(folder, cause);
  }
}

/** v86 reads these by itself, and a missing one would end the process. */
export async function bootFiles(folder: string): Promise<BootFiles> {
  const files = {
    bios: join(folder, "bios.bin"),
    vgaBios: join(folder, "vgabios.bin"),
    kernel: join(folder, "kernel"),
    initramfs: join(folder, "initramfs"),
  };
  for (const file of Object.values(files)) {
    await access(file, constants.R_OK).catch((cause) => {
      throw badImage(folder, cause);
    });
  }
  return files;
}

function badImage(folder: string, cause: unknown): MachineError {
  const reason = cause instanceof Error ? cause.message : cause;
  return new MachineError("BAD_IMAGE", `the image in ${folder} cannot be used: ${reason}`, {
    cause,
  });
}
