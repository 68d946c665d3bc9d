import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { ImageError } from "./errors.ts";

export interface RunOptions {
  input?: Uint8Array;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  onStderrLine?: (line: string) => void;
}

/** Which Debian package has a tool, for the message to someone who lacks it. */
const PACKAGES: Record<string, string> = {
  mmdebstrap: "mmdebstrap",
  "apt-get": "apt",
  "apt-config": "apt",
  xz: "xz-utils",
  flock: "util-linux",
  setpriv: "util-linux",
  npm: "npm",
  sync: "coreutils",
};

/** How long a child may take to clean up after itself (unmount, remove its tree) when it is told to end. */
const GRACE_MS = 10_000;
/** Enough of a child's standard error to see why it failed. */
const TAIL_LINES = 12;

/** Run a tool to its end and give its standard output. */
export async function run(tool: string, args: string[], options: RunOptions = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream(tool, args, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Run a tool and give its standard output as it comes. The tool has a process group of its own: on abort, or
 * when the caller stops reading, the whole group is told to end, and killed if it does not.
 */
export async function* stream(
  tool: string,
  args: string[],
  options: RunOptions = {},
): AsyncGenerator<Uint8Array> {
  if (options.signal?.aborted) throw aborted(options.signal);
  const child = spawn(tool, args, {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const ended = new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once("error", (error) => resolve({ code: null, error }));
    child.once("close", (code) => resolve({ code }));
  });
  const tail = watchStderr(child, options.onStderrLine);
  const onAbort = () => void endGroup(child, ended);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  // A tool that ends without reading its input is judged by its exit status, not by the broken pipe.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);

  let isFinished = false;
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const { code, error } = await ended;
    isFinished = true;
    if (options.signal?.aborted) throw aborted(options.signal);
    if (error !== undefined) throw cannotStart(tool, error);
    if (code !== 0) {
      const said = tail.length > 0 ? `:\n${tail.join("\n")}` : ".";
      throw new ImageError("BUILD_FAILED", `${tool} failed with status ${code}${said}`);
    }
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    if (!isFinished) await endGroup(child, ended);
  }
}

export function aborted(signal: AbortSignal): ImageError {
  return new ImageError("ABORTED", "The build was stopped.", { cause: signal.reason });
}

function watchStderr(child: ChildProcess, onLine?: (line: string) => void): string[] {
  const tail: string[] = [];
  let partial = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (partial + text).split(/\r?\n|\r/);
    partial = (lines.pop() ?? "").slice(-4096);
    for (const line of lines.filter((candidate) => candidate.trim() !== "")) {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      onLine?.(line);
    }
  });
  return tail;
}

async function endGroup(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.pid === undefined) return;
  const group = -child.pid;
  kill(group, "SIGTERM");
  // Its last output must be read for it to end, now that nobody else reads it.
  child.stdout?.resume();
  const timer = setTimeout(() => kill(group, "SIGKILL"), GRACE_MS);
  await ended;
  clearTimeout(timer);
}

function kill(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(group, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function cannotStart(tool: string, cause: Error): ImageError {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
    return new ImageError("BUILD_FAILED", `${tool} cannot be started.`, { cause });
  }
  const name = PACKAGES[tool] ?? tool;
  return new ImageError("TOOL_MISSING", `${tool} is missing. On Debian: apt-get install ${name}`, {
    cause,
  });
}

/** Spawned and ready: for a helper that lives as long as something else does. */
export async function startHelper(tool: string, args: string[]): Promise<ChildProcess> {
  const child = spawn(tool, args, { stdio: ["pipe", "pipe", "ignore"] });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw cannotStart(tool, error as Error);
  }
  return child;
}
