import type { BenchCase } from "../measure.ts";
import { type BenchName, type NetName, netNames } from "../names.ts";
import { echo, outputStream } from "./console.ts";
import { network } from "./network.ts";
import { coldBoot, idleCpu, rss, waitingCpu } from "./resources.ts";
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
  "waiting-cpu": [waitingCpu],
  rss: [rss],
  "cold-boot": [coldBoot],
  "turn-overhead": [turnOverhead],
  net: network,
  ...(Object.fromEntries(netNames.map((name) => [name, ofNetwork(name)])) as Record<
    NetName,
    BenchCase[]
  >),
  "v8-flags": v8Flags,
};

/** One figure of the network's, and what is told apart by a comma: "net-down, wisp". */
function ofNetwork(wanted: NetName): BenchCase[] {
  return network.filter(({ name }) => name.split(", ", 1)[0] === wanted);
}
