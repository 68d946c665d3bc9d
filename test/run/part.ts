import { spawn } from "node:child_process";
import { killGroup } from "../../src/cli/processes.ts";
import type { Environment } from "../../src/config/environment.ts";

export interface ChildOutcome {
  exitStatus: number | null;
  timedOut: boolean;
  /** All that it wrote, when `quiet`. */
  output: string;
}

export interface ChildOptions {
  root: string;
  env: Environment;
  signal: AbortSignal;
  limitMs: number;
  /** Keep the output back instead of passing it on as it comes. */
  quiet: boolean;
  stdout: NodeJS.WritableStream;
}

/** Runs a script of Node.js in a process group of its own and leaves nothing of it behind. */
export async function runNode(
  args: readonly string[],
  options: ChildOptions,
): Promise<ChildOutcome> {
  options.signal.throwIfAborted();
  const child = spawn(process.execPath, args, {
    cwd: options.root,
    env: { ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let timedOut = false;
  const end = () => killGroup(child.pid, "SIGTERM");
  const kill = () => killGroup(child.pid, "SIGKILL");
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, options.limitMs);
  options.signal.addEventListener("abort", end, { once: true });
  process.once("exit", kill);

  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      if (options.quiet) chunks.push(chunk);
      else options.stdout.write(chunk);
    });
  }
  try {
    const exitStatus = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    options.signal.throwIfAborted();
    return { exitStatus, timedOut, output: Buffer.concat(chunks).toString("utf8") };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", end);
    process.off("exit", kill);
    kill();
  }
}
