import { Interrupted } from "./signals.ts";

export type CliErrorCode =
  /** The command line makes no sense. */
  | "USAGE"
  /** Something that has to be there first is missing, and the message names the command that brings it. */
  | "MISSING"
  /** A program that was started failed or did not start. */
  | "PROGRAM_FAILED"
  /** Another process holds what this command needs. */
  | "BUSY";

export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: CliErrorCode;

  constructor(code: CliErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Explanation {
  text: string;
  exitStatus: number;
}

/**
 * What a person gets to read of an error: errors of ours are sentences made for them; of the rest only a few
 * come from the machine's state and not from a fault in Mom.
 */
export function explain(error: unknown, options: { verbose: boolean }): Explanation {
  if (error instanceof Interrupted) {
    return { text: "mom: stopped.", exitStatus: error.exitStatus };
  }
  const exitStatus = error instanceof CliError && error.code === "USAGE" ? 2 : 1;
  const sentence = sentenceOf(error);
  if (sentence === undefined) return { text: faultReport(error), exitStatus };
  const text = prefixed(sentence);
  return { text: options.verbose ? `${text}\n${stackOf(error)}` : text, exitStatus };
}

function sentenceOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined) return undefined;
  const system = systemSentences[code];
  if (system) return `${system} (${error.message})`;
  // Node's own errors have codes too: `ERR_…`, and names of errno with the failed call beside.
  if (code.startsWith("ERR_") || "syscall" in error || error.constructor === Error) {
    return undefined;
  }
  return error.message;
}

const systemSentences: Record<string, string | undefined> = {
  EADDRINUSE: "Another program listens on this port: choose another one.",
  ENOSPC: "The disk is full: free some space, or set MOM_DATA_DIR to a folder on another disk.",
  EDQUOT: "The disk quota is used up: free some space, or set MOM_DATA_DIR to another disk.",
  EROFS: "The file system is read-only: set MOM_DATA_DIR to a folder that can be written.",
  EACCES: "Permission denied.",
  EMFILE: "Too many open files: raise the limit (ulimit -n).",
};

function prefixed(sentence: string): string {
  return sentence
    .split("\n")
    .map((line) => `mom: ${line}`)
    .join("\n");
}

function faultReport(error: unknown): string {
  return [
    stackOf(error),
    "mom: This is a fault in Mom. Please report it where you got Mom from, with the lines above and the command.",
  ].join("\n");
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\nCaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
