import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Environment } from "../config/environment.ts";
import { CliError } from "./errors.ts";

/** Full path of a program in PATH. */
export function findProgram(name: string, env: Environment): string | undefined {
  // System tools live in sbin, which a person's PATH may lack.
  const folders = [...(env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface ToolOptions {
  env?: Environment;
  /** Each line of output as it comes. */
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Runs a program to its end, in a process group of its own: Ctrl-C reaches it only through `signal`.
 * Throws `CliError` with the last lines of its output when it fails.
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const child = spawn(command, args, {
    env: { ...(options.env ?? process.env) },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const onAbort = () => killGroup(child.pid, "SIGTERM");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const lastLines: string[] = [];
  const onLine = (line: string) => {
    if (line.trim() === "") return;
    lastLines.push(line);
    if (lastLines.length > 15) lastLines.shift();
    options.onLine?.(line);
  };
  eachLine(child.stdout, onLine);
  eachLine(child.stderr, onLine);
  const outcome = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("close", (status, signal) => {
      resolve(status === 0 ? undefined : `ended with ${signal ?? status}`);
    });
  });
  options.signal?.removeEventListener("abort", onAbort);
  options.signal?.throwIfAborted();
  if (outcome !== undefined) {
    const shown = [command, ...args].join(" ");
    throw new CliError("PROGRAM_FAILED", [`${shown} ${outcome}:`, ...lastLines].join("\n"));
  }
}

/** Signals a child that leads its own process group, and all below it. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It has ended already.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

export function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
