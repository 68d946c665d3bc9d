import type { BenchCase } from "../measure.ts";
import type { BenchName } from "../names.ts";
import { echo, outputStream } from "./console.ts";
import { network } from "./network.ts";
import { coldBoot, idleCpu, rss } from "./resources.ts";
import { commit, snapshotBytes } from "./saving.ts";
import { nodeAfterResume, pythonAfterResume, resume } from "./switching.ts";
import { turnOverhead } from "./turn-overhead.ts";
import { v8Flags } from "./v8-flags.ts";

export const cases: Record<BenchName, readonly BenchCase[]> = {
  resume: [resume],
  "python-after-resume": [pythonAfterResume],
  "node-after-resume": [nodeAfterResume],
  echo: [echo],
  "output-stream": [outputStream],
  "snapshot-bytes": [snapshotBytes],
  commit: [commit],
  "idle-cpu": [idleCpu],
  rss: [rss],
  "cold-boot": [coldBoot],
  "turn-overhead": [turnOverhead],
  net: network,
  "v8-flags": v8Flags,
};
