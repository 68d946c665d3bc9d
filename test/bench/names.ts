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
export const extraNames = ["net", "v8-flags"] as const;

export type BenchName = (typeof tableNames)[number] | (typeof extraNames)[number];
