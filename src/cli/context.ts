import type { Environment } from "../config/environment.ts";
import type { ReadyMessage } from "./services/ready.ts";

/** What a command gets from the process that it runs in. */
export interface CliContext {
  /** The checkout: where package.json is. */
  root: string;
  /** What the person typed behind `mom`. */
  argv: readonly string[];
  /** The environment, with the checkout's `.env` below it. */
  env: Environment;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Aborted by Ctrl-C, SIGTERM, SIGHUP, and when the process that started this one is gone. */
  signal: AbortSignal;
  /** Exit status of the command, when it is another than 0. */
  exitWith(status: number): void;
  /** Tells the process that started this one, where it is one of ours, that the command can be used. */
  tellParent(message: ReadyMessage): void;
}

/** What the person typed behind `--`, which is not ours to interpret. */
export function behindDashes(argv: readonly string[]): string[] {
  const at = argv.indexOf("--");
  return at === -1 ? [] : argv.slice(at + 1);
}

/** For commands that go on until they are told to end. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
