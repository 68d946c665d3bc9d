import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Guest } from "../../src/cli/guest.ts";

const root = resolve(import.meta.dirname, "../..");

export interface MomOptions {
  env?: Record<string, string>;
  /** Bytes for standard input, which is closed behind them; `open`: a pipe that stays open and empty. */
  stdin?: Uint8Array | string | "open";
  cwd?: string;
}

export interface MomResult {
  /** 128 and the number of the signal, where one ended it. */
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

export interface RunningMom {
  child: ChildProcess;
  result: Promise<MomResult>;
  stdout(): string;
  stderr(): string;
  /** Resolves once it has written this to its standard output or standard error. */
  says(text: string | RegExp): Promise<void>;
}

/** `mom` as a process of its own. What it wrote to its standard streams is kept. */
export function startMom(args: readonly string[], options: MomOptions = {}): RunningMom {
  const child = spawn(process.execPath, [join(root, "src/cli/main.js"), ...args], {
    env: { ...process.env, MOM_ENV_FILE: "/dev/null", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk) => out.push(chunk));
  child.stderr.on("data", (chunk) => err.push(chunk));
  // A command that reads no input closes the pipe early.
  child.stdin.on("error", () => undefined);
  if (options.stdin !== "open") child.stdin.end(options.stdin ?? "");
  const stdout = () => Buffer.concat(out).toString();
  const stderr = () => Buffer.concat(err).toString();
  const result = new Promise<MomResult>((settle) => {
    child.once("close", (status) => {
      settle({ status, stdout: Buffer.concat(out), stderr: stderr() });
    });
  });
  return { child, result, stdout, stderr, says };

  function says(text: string | RegExp): Promise<void> {
    return new Promise((settle, reject) => {
      const look = () => {
        if ([stdout(), stderr()].some((said) => said.search(text) >= 0)) settle();
      };
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      child.once("close", (status) => {
        reject(new Error(`mom ended with ${status} and never said ${text}:\n${stderr()}`));
      });
      look();
    });
  }
}

/** Runs `mom` to its end. */
export function mom(args: readonly string[], options: MomOptions = {}): Promise<MomResult> {
  return startMom(args, options).result;
}

export interface DataFolder {
  path: string;
  /** For a `mom` that uses this folder. */
  env: { MOM_DATA_DIR: string; MOM_IMAGE: string };
  remove(): void;
}

/** A data folder of one's own that shares the image and the base, so that nothing of a person's own Mom is in it. */
export function dataFolderWith(guest: Guest): DataFolder {
  const path = mkdtempSync(join(tmpdir(), "mom-data-"));
  symlinkSync(dirname(guest.base.dir), join(path, "bases"));
  return {
    path,
    env: { MOM_DATA_DIR: path, MOM_IMAGE: guest.image.dir },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
