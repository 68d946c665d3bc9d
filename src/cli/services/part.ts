import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { CliError } from "../errors.ts";
import { killGroup } from "../processes.ts";

export interface PartOptions<Ready> {
  /** As people know it: `worker 1`. */
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Whether it speaks Node's IPC. */
  ipc: boolean;
  /** Gets all output. */
  logPath: string;
  /** Resolves when the part can be used. Raced against its end and the time-out. */
  ready: (child: ChildProcess, signal: AbortSignal) => Promise<Ready>;
  readyTimeoutMs: number;
  /** Between SIGTERM and SIGKILL. */
  stopTimeoutMs: number;
}

/** A log that has grown over this is put aside (`NAME.1`) at the next start. */
const logLimitBytes = 10 * 1024 * 1024;
const shownLogLines = 12;

/**
 * A child process that is a part of a running Mom. It leads a process group of its own, so that Ctrl-C reaches
 * the parent alone, which ends its parts in order. The other way round the part is tied to its parent by its
 * IPC channel, or by its standard input where it knows none: both close when the parent is gone, however it went.
 */
export class Part<Ready = unknown> {
  readonly name: string;
  readonly ready: Ready;
  /** What it came to, as a sentence: `ended with exit status 1`. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #stopTimeoutMs: number;
  readonly #killOnExit: () => void;

  /** Starts a part and waits until it is ready. Throws `CliError` with the last lines of its log. */
  static async start<Ready>(
    options: PartOptions<Ready>,
    signal: AbortSignal,
  ): Promise<Part<Ready>> {
    signal.throwIfAborted();
    const log = openLog(options.logPath);
    const child = spawn(options.command, options.args, {
      env: options.env,
      stdio: options.ipc ? ["ignore", log.fd, log.fd, "ipc"] : ["pipe", log.fd, log.fd],
      detached: true,
    });
    closeSync(log.fd);
    const ended = endOf(child);
    const killOnExit = () => killGroup(child.pid, "SIGKILL");
    process.once("exit", killOnExit);

    const settled = new AbortController();
    const timeout = AbortSignal.timeout(options.readyTimeoutMs);
    const given = AbortSignal.any([signal, timeout, settled.signal]);
    try {
      const ready = await Promise.race([
        options.ready(child, given),
        ended.then((end) => Promise.reject(failure(options.name, end, log.newLines()))),
        rejectedOn(given),
      ]);
      return new Part(options, ready, child, ended, killOnExit);
    } catch (error) {
      killOnExit();
      await ended;
      process.off("exit", killOnExit);
      signal.throwIfAborted();
      if (!timeout.aborted) throw error;
      const seconds = options.readyTimeoutMs / 1_000;
      throw failure(options.name, `was not ready after ${seconds} s`, log.newLines());
    } finally {
      settled.abort();
    }
  }

  private constructor(
    options: PartOptions<Ready>,
    ready: Ready,
    child: ChildProcess,
    ended: Promise<string>,
    killOnExit: () => void,
  ) {
    this.name = options.name;
    this.ready = ready;
    this.ended = ended;
    this.#child = child;
    this.#stopTimeoutMs = options.stopTimeoutMs;
    this.#killOnExit = killOnExit;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to end, waits, and kills what is left of its process group. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(this.#killOnExit, this.#stopTimeoutMs);
    await this.ended;
    clearTimeout(timer);
    this.#killOnExit();
    process.off("exit", this.#killOnExit);
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started (${error.message})`));
    child.once("exit", (status, signal) => {
      resolve(signal ? `was ended by ${signal}` : `ended with exit status ${status}`);
    });
  });
}

function rejectedOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function failure(name: string, what: string, lines: readonly string[]): CliError {
  const log = lines.length > 0 ? ["Its last lines:", ...lines.map((line) => `  ${line}`)] : [];
  return new CliError("PROGRAM_FAILED", [`The ${name} ${what}.`, ...log].join("\n"));
}

interface Log {
  fd: number;
  /** The last of the lines written since it was opened. */
  newLines(): string[];
}

function openLog(path: string): Log {
  mkdirSync(dirname(path), { recursive: true });
  const before = sizeOf(path);
  if (before > logLimitBytes) renameSync(path, `${path}.1`);
  const from = before > logLimitBytes ? 0 : before;
  return {
    // Logs tell what people ran.
    fd: openSync(path, "a", 0o600),
    newLines: () => {
      const text = readFileSync(path).subarray(from).toString("utf8");
      return text
        .split("\n")
        .filter((line) => line.trim() !== "")
        .slice(-shownLogLines);
    },
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
