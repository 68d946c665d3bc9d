import type { ExecResult, GuestFile } from "./result.ts";

/**
 * The programming interface of a machine, used by the worker, the command line and the tests.
 *
 * @example
 * const machine = await Machine.start({ image });
 * const result = await machine.exec("echo hi");
 * new TextDecoder().decode(result.stdout); // "hi\n"
 * await machine.stop();
 */
export interface MachineApi {
  /** Run one command in the sandbox's resident shell. One at a time: a second call waits for the first. */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Whole file, by absolute path or relative to the home directory. Throws `MachineError` `NO_SUCH_FILE`. */
  readFile(path: string): Promise<Uint8Array>;
  /**
   * Create or replace a file. A relative path is below the shell's current directory, which is where
   * a command would look for it.
   */
  writeFile(path: string, data: Uint8Array): Promise<void>;
  /** Regular files below a directory, recursively, sorted by path. A missing directory has none. */
  listFiles(directory: string): Promise<GuestFile[]>;
  /**
   * Let programs that commands left in the background go on, and say how many there are. Ask again within a minute:
   * a machine that is not asked for anything is stopped. One without such programs is stopped at once.
   */
  linger(): Promise<number>;
  /**
   * Make a socket that leads to a port of the guest until another sandbox is in the machine, at any time, also while a
   * command runs; its path. Each connection is reset where nothing listens in the guest, and carries nothing while the
   * guest stands still. Throws `MachineError` `PUBLISH_FAILED`, `NO_WAY_IN`.
   */
  publishSocket(guestPort: number): Promise<string>;
  /** Put the machine into a new sandbox: the base, nothing of any earlier thread left. */
  reset(): Promise<void>;
  /** State of the sandbox now, as a delta over the base. No command may be running. */
  save(): Promise<SandboxState>;
  /** Put the machine into a sandbox saved earlier, on this machine or another of the same base. */
  load(state: SandboxState): Promise<void>;
  stop(): Promise<void>;
}

/** A saved sandbox: opaque to everyone but the machine; `base` names what it is a delta over. */
export interface SandboxState {
  base: string;
  /** zstd-compressed; self-contained but for the base and the blobs. */
  data: Uint8Array;
  /** SHA-256 of each blob of `MachineFiles.blobs` that the state needs. */
  blobs: readonly string[];
}

export interface ExecOptions {
  /** Bytes for standard input; `/dev/null` without. */
  stdin?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Files put beside the command before it starts, readable as `$MOM_TURN/NAME`. */
  files?: Record<string, Uint8Array>;
  /** SIGINT to the process group at this time, SIGKILL to the whole process tree soon after. */
  timeoutMs?: number;
  /** Most bytes of standard output and standard error together. */
  maxOutputBytes?: number;
  onStdout?: (chunk: Uint8Array) => void;
  onStderr?: (chunk: Uint8Array) => void;
  /** Ends the command the same way as a time-out, and the result says `isCanceled`. */
  signal?: AbortSignal;
}

/** Why a machine could not do what it was asked. A command that fails is not an error: see `ExecResult`. */
export type MachineErrorCode =
  /** The machine's process ended or stopped answering; the sandbox's unsaved state is lost. */
  | "MACHINE_DIED"
  /** The guest's kernel panicked, or nothing in the guest answers any more. */
  | "GUEST_DIED"
  /** The machine did not become ready in time. */
  | "START_FAILED"
  /** Image or base missing, incomplete, or of another make than this machine. */
  | "BAD_IMAGE"
  | "BAD_STATE"
  /** The host's disk is full. The machine is as it was and can go on. */
  | "NO_SPACE"
  | "NO_SUCH_FILE"
  /** A port of the host's could not be taken for a port of the guest's. */
  | "PUBLISH_FAILED"
  /** The machine's network lets nothing in. */
  | "NO_WAY_IN"
  | "FILE_FAILED";

export class MachineError extends Error {
  override readonly name = "MachineError";
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
