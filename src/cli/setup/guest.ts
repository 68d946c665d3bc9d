import { buildBase } from "../../../images/base.ts";
import { buildImage } from "../../../images/build.ts";
import { findImage, type Image, openImage } from "../../../images/image.ts";
import type { ProgressEvent } from "../../../images/progress.ts";
import { type Environment, type MachineConfig, machineConfig } from "../../config/index.ts";
import { type Guest, memoryBytes, namedImage } from "../guest.ts";
import { megabytes } from "../quantities.ts";
import { runSteps, type Step } from "../steps.ts";
import { type Purpose, systemPackagesStep } from "./index.ts";

export interface GuestOptions {
  /** What else is to be installed of the system. */
  purposes: readonly Purpose[];
  /** Root tarball to build from, instead of Debian's packages. */
  rootfs?: string;
  /** A new image also where one is there. */
  fresh?: true;
  /** `false`: only name the system packages that are missing. */
  install: boolean;
  env: Environment;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/**
 * The steps to a guest: the system packages, those of a build where one is needed too, then image and base.
 * Throws `ConfigError`, and `CliError` `MISSING`.
 */
export async function guestSteps(
  options: GuestOptions,
  onBuilt: (guest: Guest) => void = () => undefined,
): Promise<Step[]> {
  const config = machineConfig(options.env);
  const isAsked = options.rootfs !== undefined || options.fresh === true;
  const mayBuild = config.image === "auto" || isAsked;
  const isBuilt = !isAsked && (await findImage(config.dataDir)) !== undefined;
  const purposes = [...options.purposes, ...(mayBuild && !isBuilt ? ["image" as const] : [])];
  let image: Image | undefined;
  return [
    ...systemPackagesStep({ ...options, purposes }),
    {
      title: "Guest image",
      run: async (report) => {
        if (!mayBuild) {
          image = await namedImage(config.dataDir, config.image);
          return image.id;
        }
        const built = await buildReported(options, config, report);
        image = built.image;
        return built.note;
      },
    },
    {
      title: "Base (the guest booted, warmed up and saved)",
      run: async (report) => {
        if (!image) throw new Error("the image comes first");
        const base = await buildBase({
          image,
          dataDir: config.dataDir,
          memoryBytes: memoryBytes(config),
          signal: options.signal,
          onProgress: ({ step, steps, title }) => report(`${title} (${step} of ${steps})`),
        });
        onBuilt({ image, base });
        return `${base.id}, ${base.reused ? "there already" : megabytes(base.bytes)}`;
      },
    },
  ];
}

/** Makes sure that there is a guest, and tells of it. */
export async function prepareGuest(options: GuestOptions): Promise<Guest> {
  let guest: Guest | undefined;
  const steps = await guestSteps(options, (built) => {
    guest = built;
  });
  await runSteps(steps, options);
  if (!guest) throw new Error("the steps ended without a guest");
  return guest;
}

async function buildReported(
  options: GuestOptions,
  config: MachineConfig,
  report: (detail: string) => void,
): Promise<{ image: Image; note: string }> {
  const built = await buildImage({
    dataDir: config.dataDir,
    signal: options.signal,
    ...(options.rootfs === undefined ? {} : { rootfs: options.rootfs }),
    ...(options.fresh === undefined ? {} : { fresh: options.fresh }),
    onProgress: (event) => {
      if (event.kind === "warning") options.stderr.write(`mom: warning: ${event.message}\n`);
      const detail = detailOf(event);
      if (detail) report(detail);
    },
  });
  const how = built.reused ? "there already" : megabytes(built.bytes);
  return { image: await openImage(built.dir), note: `${built.id}, ${how}` };
}

function detailOf(event: ProgressEvent): string | undefined {
  switch (event.kind) {
    case "start":
      return event.title;
    case "progress": {
      const percent = event.fraction === undefined ? "" : ` ${Math.round(event.fraction * 100)} %`;
      return `${event.detail}${percent}`;
    }
    case "warning":
    case "done":
      return undefined;
  }
}
