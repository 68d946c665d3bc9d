import type { Limits, RelayStats } from "../../relay/index.ts";
import type { MachineErrorCode, SandboxState } from "./api.ts";
import type { CountedRefusal } from "./refusals.ts";
import type { ExecResult, GuestFile } from "./result.ts";

/**
 * The messages between a machine's process and its parent, over Node's IPC channel with structured cloning.
 * The parent calls; the process answers each call once, and tells events as they happen.
 */

/** Where a machine finds what it needs: absolute paths, all given by the parent. */
export interface MachineFiles {
  /** Folder of the image: kernel, initramfs, BIOS, `fs.json` and `files/`. */
  image: string;
  /** Folder of the base; absent when the machine boots from power-on. */
  base: string | null;
  /** Folder for contents of files that guests wrote, named by hash; shared by machines. */
  blobs: string;
  /** Folder for scratch files, gone with the process. */
  scratch: string;
  /** Folder of the bases that `saveBase` and `saveCode` write into; `null` for machines that do neither. */
  bases: string | null;
}

export interface StartParameters {
  files: MachineFiles;
  memoryBytes: number;
  cmdline: string;
  quota: { bytes: number; inodes: number };
  /** Stop the emulator when nothing ran for so long. */
  idleAfterMs: number;
  /** Certificates that the guest trusts besides its own, as PEM; "" for none. */
  certificates: string;
  network: NetworkParameters;
}

/** What the machine's card is plugged into. */
export interface NetworkParameters {
  /** `fetch` is v86's own: HTTP only. */
  backend: "relay" | "fetch" | "none";
  /** The policy's rules as text, as `Policy.parse` of the relay takes them. */
  rules: string;
  /** Ports of the host's loopback that the guest reaches at 10.0.2.2. */
  hostPorts: readonly number[];
  /** Name servers with their ports; absent for those of the host. */
  nameServers?: readonly string[];
  limits: Partial<Limits>;
}

/** A port of the host's behind which a port of the guest's is. */
export interface PublishedPort {
  /** An address of the host's. */
  address: string;
  /** 0 for any that is free. */
  port: number;
  guestPort: number;
}

/** The same with a Unix socket, which is made. */
export interface PublishedSocket {
  path: string;
  guestPort: number;
}

/** `refused`: the policy or the host does not let it out. */
export type PingOutcome = "answered" | "silent" | "refused";

export interface ExecParameters {
  script: string;
  hasInput: boolean;
  files: Record<string, Uint8Array>;
  timeoutMs: number | null;
  maxOutputBytes: number;
}

/** An `ExecResult` without what the parent knows already. */
export type ExecReport = Omit<ExecResult, "command" | "stdout" | "stderr">;

export interface OutputChunk {
  stream: "stdout" | "stderr";
  chunk: Uint8Array;
}

/** Calls by name: what goes in, what comes out. */
export interface Calls {
  start: { in: StartParameters; out: { base: string | null } };
  /** Out: also the last of the output, where it has not been told as an event. */
  exec: { in: ExecParameters; out: ExecReport & { lastOutput: OutputChunk | null } };
  /** More standard input for a running `exec`, `null` at its end. Answered when there is room for more. */
  input: { in: { exec: number; chunk: Uint8Array | null }; out: undefined };
  cancel: { in: { exec: number }; out: undefined };
  readFile: { in: { path: string }; out: Uint8Array };
  writeFile: { in: { path: string; data: Uint8Array }; out: undefined };
  listFiles: { in: { directory: string }; out: GuestFile[] };
  /** An interactive shell; answered when it ends. */
  terminal: { in: { columns: number; rows: number; term: string }; out: { exitCode: number } };
  keys: { in: { bytes: Uint8Array }; out: undefined };
  resize: { in: { columns: number; rows: number }; out: undefined };
  /** How many programs go on in the background. */
  linger: { in: null; out: { programs: number } };
  save: { in: null; out: SandboxState };
  /** `null`: the base. */
  load: { in: SandboxState | null; out: undefined };
  /** Save this machine, booted from power-on, as a base. */
  saveBase: { in: { folder: string; id: string }; out: { bytes: number } };
  /** Keep what V8 compiled of the emulator with a base, for the processes of its machines. */
  saveCode: { in: { folder: string }; out: undefined };
  /** Until another sandbox is in the machine. Answers with the port that was taken. */
  publish: { in: PublishedPort; out: PublishedPort };
  /** At any time, also while a command runs. */
  publishSocket: { in: PublishedSocket; out: undefined };
  networkStats: { in: null; out: RelayStats };
  /** What came of a ping that the machine asked for. */
  pinged: { in: { id: number; outcome: PingOutcome }; out: undefined };
  ping: { in: null; out: undefined };
}

export type CallName = keyof Calls;

export type Call = {
  [Name in CallName]: { id: number; call: Name; in: Calls[Name]["in"] };
}[CallName];

export type Answer =
  | { answer: number; out: unknown }
  | { answer: number; error: { code: MachineErrorCode; message: string } };

export type MachineEvent =
  | ({ event: "output"; exec: number } & OutputChunk)
  | { event: "terminal"; bytes: Uint8Array }
  | { event: "console"; text: string }
  /** What the guest wanted of the network and did not get, in the turn that ends. */
  | { event: "refused"; refusals: CountedRefusal[] }
  /** The guest pings an address outside, and this process may start no program: answered by the call `pinged`. */
  | { event: "ping"; id: number; address: string }
  /** The machine can not go on; its process ends. */
  | { event: "broken"; code: MachineErrorCode; message: string };

export type FromMachine = Answer | MachineEvent;
