/** What a build says while it goes on. Each step starts, may progress, and is done; warnings stand alone. */
export type ProgressEvent =
  | { kind: "start"; step: BuildStep; title: string }
  | { kind: "progress"; step: BuildStep; detail: string; fraction?: number }
  | { kind: "done"; step: BuildStep; durationMs: number }
  | { kind: "warning"; message: string };

export type BuildStep = "wait" | "sources" | "root" | "npm" | "kernel" | "finish";

export const STEP_TITLES: Record<BuildStep, string> = {
  wait: "Waiting for another build",
  sources: "Looking for Debian's mirrors",
  root: "Installing Debian into a root tree",
  npm: "Adding npm",
  kernel: "Making kernel and initramfs",
  finish: "Writing the image",
};
