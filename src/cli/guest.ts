import { isAbsolute, join, resolve } from "node:path";
import { type Base, findBase, machineParameters } from "../../images/base.ts";
import { ImageError } from "../../images/errors.ts";
import { findImage, type Image, imagesFolder, openImage } from "../../images/image.ts";
import type { StartParameters } from "../../workers/machine/messages.ts";
import type { MachineConfig } from "../config/index.ts";
import { readCertificates } from "./certificates.ts";
import { networkParameters } from "./net/parameters.ts";
import { listedImages } from "./setup/image-list.ts";

/** What a machine starts from. */
export interface Guest {
  image: Image;
  base: Base;
}

const mib = 1024 * 1024;
const inodes = 200_000;

/**
 * The image that the settings name (`auto`: the newest), and its base. Builds nothing.
 * Throws `ImageError`, with the command that brings what is missing.
 *
 * @example
 * const config = machineConfig(context.env);
 * const machine = await Machine.start(startParameters(config, await findGuest(config)));
 */
export async function findGuest(config: MachineConfig): Promise<Guest> {
  const image = await namedImage(config.dataDir, config.image);
  const base = await findBase(image, config.dataDir, memoryBytes(config));
  if (base) return { image, base };
  throw new ImageError(
    "IMAGE_MISSING",
    `The image ${image.id} has no base for ${config.memoryMb} MB of memory yet. Run: ./mom image build`,
  );
}

/** Throws `ConfigError` when the operator's certificates or the network's policy cannot be used. */
export function startParameters(config: MachineConfig, guest: Guest): StartParameters {
  return machineParameters(guest.image, guest.base, {
    dataDir: config.dataDir,
    memoryBytes: memoryBytes(config),
    quota: { bytes: config.diskQuotaMb * mib, inodes },
    certificates: config.extraCaCerts === undefined ? "" : readCertificates(config.extraCaCerts),
    network: networkParameters(config.network),
  });
}

/** An image by what `MOM_IMAGE` or a person calls it: `auto`, id or folder. Throws `ImageError`. */
export async function namedImage(dataDir: string, name: string): Promise<Image> {
  if (name === "auto") {
    const newest = await findImage(dataDir);
    if (newest) return newest;
    throw new ImageError("IMAGE_MISSING", await whyNoImage(dataDir));
  }
  if (isAbsolute(name) || name.includes("/")) return openImage(resolve(name));
  return openImage(join(imagesFolder(dataDir), name));
}

/** An image that was built and is damaged now is not the same to a person as none. */
async function whyNoImage(dataDir: string): Promise<string> {
  const images = await listedImages(dataDir);
  const damaged = images.find(({ state }) => state !== "complete");
  if (damaged) return damaged.state;
  return images.length === 0
    ? "There is no image yet. Run: ./mom image build"
    : "The images here were built by another version of Mom. Run: ./mom image build";
}

export function memoryBytes(config: MachineConfig): number {
  return config.memoryMb * mib;
}
