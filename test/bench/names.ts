/** What `mom bench` can measure, in the order of its table. Here alone, so that `--help` loads no more. */
export const tableNames = [
  "resume",
  "python-after-resume",
  "node-after-resume",
  "echo",
  "output-stream",
  "snapshot-bytes",
  "commit",
  "idle-cpu",
  "rss",
  "cold-boot",
  "turn-overhead",
] as const;

/** Measured when they are named only. */
export const extraNames = ["waiting-cpu", "net", "v8-flags"] as const;

/** Parts of `net`. */
export const netNames = [
  "net-down",
  "net-up",
  "net-down-raw",
  "net-up-raw",
  "net-connect",
  "net-parallel",
  "net-cpu-down",
  "net-cpu-up",
] as const;

export type NetName = (typeof netNames)[number];
export type BenchName = (typeof tableNames)[number] | (typeof extraNames)[number] | NetName;
