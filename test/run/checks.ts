import { existsSync } from "node:fs";
import { join } from "node:path";

/** A check that is a program of its own and says by its exit status whether all is well. */
export interface Check {
  name: "lint" | "types" | "rules";
  title: string;
  /** Arguments for Node.js. */
  args(root: string): string[];
}

/** Folders with TypeScript of ours. */
const rooms = ["src", "workers", "relay", "images", "bios", "demo", "test"];

export const checks: readonly Check[] = [
  {
    name: "lint",
    title: "format and lint",
    args: () => ["node_modules/@biomejs/biome/bin/biome", "ci", "--colors=off", "."],
  },
  {
    name: "types",
    title: "types",
    // Version 7, a third of the processor time; dependency-cruiser needs the interface of version 6. What it knows of
    // files that have not changed is kept where no one looks for sources.
    args: () => [
      "node_modules/tsc-7/bin/tsc",
      "--noEmit",
      "--pretty",
      "false",
      "--incremental",
      "--tsBuildInfoFile",
      "node_modules/.cache/types.tsbuildinfo",
    ],
  },
  {
    name: "rules",
    title: "import rules",
    args: (root) => [
      "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      ".dependency-cruiser.cjs",
      ...rooms.filter((room) => existsSync(join(root, room))),
    ],
  },
];
