import type { Command } from "commander";
import { dataDir } from "../../config/environment.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

interface BuildOptions {
  rootfs?: string;
  install: boolean;
  json?: true;
}

export function registerImage(program: Command, context: CliContext): void {
  const image = program.command("image").description("Build, list and verify guest images");
  withExamples(image, "image build", "image list --json");

  const build = image
    .command("build")
    .description("Build the guest image and its base, unless they are there")
    .option(
      "--rootfs <file>",
      "take this root tarball (with a kernel in it) instead of Debian's packages",
    )
    .option("--no-install", "only name the system packages that are missing")
    .option("--json", "print the image as a JSON object")
    .action((options: BuildOptions) => buildImage(context, options));
  withExamples(build, "image build", "image build --rootfs debian-i386.tar.zst");

  const list = image
    .command("list")
    .description("List the images in the data folder")
    .option("--json", "print a JSON array")
    .action((options: { json?: true }) => listImages(context, options));
  withExamples(list, "image list");

  const verify = image
    .command("verify")
    .description("Compare every byte of an image with the hashes in its manifest")
    .argument("[image]", "id or folder of the image; the newest without it")
    .action((name: string | undefined) => verifyImage(context, name));
  withExamples(verify, "image verify", "image verify 3f9c2a7b1d5e8f60");
}

async function buildImage(context: CliContext, options: BuildOptions): Promise<void> {
  const { prepareGuest } = await import("../setup/guest.ts");
  const guest = await prepareGuest({ ...context, ...options, dataDir: dataDir(context.env) });
  const text = options.json ? JSON.stringify(guest, null, 2) : `${guest.id} ${guest.dir}`;
  context.stdout.write(`${text}\n`);
}

async function listImages(context: CliContext, options: { json?: true }): Promise<void> {
  const { listedImages } = await import("../setup/guest.ts");
  const images = await listedImages(dataDir(context.env));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(images, null, 2)}\n`);
  } else if (images.length === 0) {
    context.stdout.write("There is no image yet. Run: ./mom image build\n");
  } else {
    for (const { id, builtAt, size, state } of images) {
      context.stdout.write(`${id}  ${builtAt}  ${size.padStart(7)}  ${state}\n`);
    }
  }
}

async function verifyImage(context: CliContext, name: string | undefined): Promise<void> {
  const { verifiedImage } = await import("../setup/guest.ts");
  const image = await verifiedImage(dataDir(context.env), name);
  context.stdout.write(`${image.id} is as it was built.\n`);
}
