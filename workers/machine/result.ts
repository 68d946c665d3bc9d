/**
 * What a command came to. One shape for success, failure, time-out, cancel and output limit: a non-zero exit
 * never throws, so callers look at the fields they care about.
 */
export interface ExecResult {
  command: string;
  /** 0 to 255; `null` when the command was ended before it could exit. */
  exitCode: number | null;
  /** `SIGINT`, `SIGKILL`, …: where a signal ended the command. */
  signal: string | null;
  stdout: Uint8Array;
  stderr: Uint8Array;
  durationMs: number;
  /** True for everything but an exit status of 0. */
  failed: boolean;
  timedOut: boolean;
  isCanceled: boolean;
  /** Output went over `maxOutputBytes`; `stdout` and `stderr` hold what came before. */
  isMaxBuffer: boolean;
  /** What the command left in `~/out` or named with `attach`. */
  files: GuestFile[];
}

/** A regular file in the guest. */
export interface GuestFile {
  /** Absolute path in the guest; lone surrogates U+DC80 to U+DCFF stand for bytes that are not UTF-8. */
  path: string;
  /** Name to show to people: the path below `~/out`, or the base name. */
  name: string;
  size: number;
}
