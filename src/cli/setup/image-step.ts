import type { ImageInfo } from "../../../images/build.ts";
import type { ProgressEvent } from "../../../images/progress.ts";
import type { Step } from "../steps.ts";

export interface ImageStepOptions {
  dataDir: string;
  rootfs?: string;
  signal: AbortSignal;
  onBuilt(image: ImageInfo): void;
}

/** Builds the guest image, unless it is there. */
export function imageStep(options: ImageStepOptions): Step {
  return {
    title: "Guest image",
    run: async (report) => {
      const { buildImage } = await import("../../../images/build.ts");
      const { onBuilt, ...build } = options;
      const image = await buildImage({
        ...build,
        onProgress: (event) => {
          const detail = detailOf(event);
          if (detail) report(detail);
        },
      });
      onBuilt(image);
      const warnings = image.reused
        ? []
        : image.warnings.map((warning) => `\n  warning: ${warning}`);
      const how = image.reused ? "there already" : megabytes(image.bytes);
      return `${image.id}, ${how}${warnings.join("")}`;
    },
  };
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
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
      return event.message;
    case "done":
      return undefined;
  }
}
