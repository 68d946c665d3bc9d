import { existsSync } from "node:fs";
import { runsI386Programs } from "../../../images/i386-programs.ts";
import type { Environment } from "../../config/environment.ts";
import { findProgram } from "../processes.ts";

/** Something of the system that Mom uses and does not bring itself. */
export interface Need {
  /** Debian's package. */
  debian: string;
  /** The command that brings it on macOS; `undefined`: not to be had there. */
  macos: string | undefined;
  /** What it is for, to complete the sentence "needed …". */
  why: string;
  isThere(env: Environment): boolean;
  /** Whether this computer has any use for it; without it, each has. */
  isOfUse?(): boolean;
}

/** What needs are asked for: the running service, the making of a guest image, the tests. */
export type Purpose = "service" | "image" | "test";

const program = (...names: string[]) => {
  return (env: Environment) => names.some((name) => findProgram(name, env) !== undefined);
};

const redis: Need = {
  debian: "redis-server",
  macos: "brew install redis",
  why: "to keep the queue between app and workers",
  isThere: program("redis-server"),
};

const imageTools: readonly Need[] = [
  {
    debian: "seabios",
    macos: undefined,
    why: "as the machine's firmware",
    isThere: () => existsSync("/usr/share/seabios/bios.bin"),
  },
  {
    debian: "mmdebstrap",
    macos: undefined,
    why: "to collect the guest's packages",
    isThere: program("mmdebstrap"),
  },
  {
    debian: "arch-test",
    macos: undefined,
    why: "to see whether i386 programs run while the guest is put together",
    isThere: program("arch-test"),
  },
  {
    debian: "qemu-user-static",
    macos: undefined,
    why: "to run i386 programs while the guest is put together, which this computer's kernel does not",
    isThere: program("qemu-i386-static"),
    isOfUse: () => !runsI386Programs(),
  },
  {
    debian: "xz-utils",
    macos: undefined,
    why: "to unpack the guest's packages",
    isThere: program("xz"),
  },
];

const browser: Need = {
  debian: "chromium",
  macos: "brew install --cask chromium",
  why: "to test the page of the local Slack",
  isThere: program("chromium", "chromium-browser", "google-chrome"),
};

const needs: Record<Purpose, readonly Need[]> = {
  service: [redis],
  image: imageTools,
  test: [browser],
};

export function missingNeeds(purposes: readonly Purpose[], env: Environment): Need[] {
  return needsFor(purposes).filter((need) => !need.isThere(env));
}

export function needsFor(purposes: readonly Purpose[]): Need[] {
  return purposes
    .flatMap((purpose) => needs[purpose])
    .filter(({ isOfUse }) => isOfUse === undefined || isOfUse());
}

/** The command that brings it. */
export function commandFor(need: Need, platform = process.platform): string {
  if (platform === "darwin") {
    return need.macos ?? "not to be had on macOS: use Docker (README.md, “Docker”)";
  }
  return `apt-get install --no-install-recommends ${need.debian}`;
}
