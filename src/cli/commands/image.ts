import type { Command } from "commander";
import { dataDir } from "../../config/environment.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";
import { megabytes } from "../quantities.ts";

interface BuildOptions {
  rootfs?: string;
  fresh?: true;
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
    .option(
      "--fresh",
      "build anew, with the packages that Debian has now, although there is an image",
    )
    .option("--no-install", "only name the system packages that are missing")
    .option("--json", "print the image as a JSON object")
    .action((options: BuildOptions) => buildImage(context, options));
  withExamples(
    build,
    "image build",
    "image build --fresh",
    "image build --rootfs debian-i386.tar.zst",
  );

  const list = image
    .command("list")
    .description("List the images in the data folder")
    .option("--json", "print a JSON array")
    .action((options: { json?: true }) => listImages(context, options));
  withExamples(list, "image list");

  const check = image
    .command("verify")
    .description("Compare every byte of an image with the hashes in its manifest")
    .argument("[image]", "id or folder of the image; auto is the newest", "auto")
    .action((name: string) => verify(context, name));
  withExamples(check, "image verify", "image verify 3f9c2a7b1d5e8f60");
}

async function buildImage(context: CliContext, options: BuildOptions): Promise<void> {
  const { prepareGuest } = await import("../setup/guest.ts");
  const { image, base } = await prepareGuest({ ...context, ...options, purposes: [] });
  const { id, dir, manifest } = image;
  const facts = { id, dir, base: base.id, baseBytes: base.bytes, warnings: manifest.warnings };
  context.stdout.write(`${options.json ? JSON.stringify(facts, null, 2) : `${id} ${dir}`}\n`);
}

async function listImages(context: CliContext, options: { json?: true }): Promise<void> {
  const { listedImages } = await import("../setup/image-list.ts");
  const images = await listedImages(dataDir(context.env));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(images, null, 2)}\n`);
  } else if (images.length === 0) {
    context.stdout.write("There is no image yet. Run: ./mom image build\n");
  } else {
    for (const { id, builtAt, bytes, state } of images) {
      const size = bytes === null ? "-" : megabytes(bytes);
      context.stdout.write(`${id}  ${builtAt ?? "-"}  ${size.padStart(7)}  ${state}\n`);
    }
  }
}

async function verify(context: CliContext, name: string): Promise<void> {
  const { namedImage } = await import("../guest.ts");
  const { verifyImage } = await import("../../../images/image.ts");
  const { dir } = await namedImage(dataDir(context.env), name);
  const image = await verifyImage(dir);
  context.stdout.write(`${image.id} is as it was built.\n`);
}
