import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The machine's firmware. It is taken from the system's package and never committed. */
export interface Firmware {
  bios: Uint8Array;
  vgaBios: Uint8Array;
}

/** Where Debian's package puts it. */
const FOLDER = "/usr/share/seabios";
/** The 128 KiB build: v86 maps the firmware below 1 MiB. */
const BIOS = "bios.bin";
/** v86's display is Bochs', which is QEMU's "std". */
const VGA_BIOS = "vgabios-stdvga.bin";

/** Thrown when the firmware is not on this system. */
export class FirmwareMissingError extends Error {
  override readonly name = "FirmwareMissingError";
  readonly code = "FIRMWARE_MISSING";
}

export async function findFirmware(folder: string = FOLDER): Promise<Firmware> {
  try {
    return {
      bios: await readFile(join(folder, BIOS)),
      vgaBios: await readFile(join(folder, VGA_BIOS)),
    };
  } catch (cause) {
    throw new FirmwareMissingError(
      `The machine's BIOS is missing (${join(folder, BIOS)} and ${VGA_BIOS}). On Debian: apt-get install seabios`,
      { cause },
    );
  }
}
