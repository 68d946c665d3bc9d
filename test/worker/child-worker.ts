import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TakerTiming } from "../../src/queue/index.ts";
import type { Harness } from "./harness.ts";

/** A worker in a process of its own. Kill it. */
export function spawnWorker(
  harness: Harness,
  workerId: string,
  {
    folder,
    timing = {},
    stderr,
  }: {
    /** For what it leaves behind when it is killed. */
    folder: string;
    timing?: Partial<TakerTiming>;
    stderr: "inherit" | "ignore";
  },
): ChildProcess {
  const script = fileURLToPath(new URL("child-worker-main.js", import.meta.url));
  const config = JSON.stringify({ ...harness.config, workerId });
  return spawn(process.execPath, [script, config, JSON.stringify(timing)], {
    stdio: ["ignore", "pipe", stderr],
    env: { ...process.env, TMPDIR: folder },
  });
}

/** Resolves once it takes turns, or has ended. */
export function whenReady(worker: ChildProcess): Promise<void> {
  return new Promise((settle) => {
    worker.stdout?.once("data", () => settle());
    worker.once("exit", () => settle());
  });
}
