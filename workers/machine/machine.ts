import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ping, type RelayStats } from "../../relay/index.ts";
import { keepStripped } from "../../src/start/stripped-sources.js";
import { type ExecOptions, type MachineApi, MachineError, type SandboxState } from "./api.ts";
import { InputFeed } from "./input-feed.ts";
import { MachineProcess, type MachineProcessOptions } from "./machine-process.ts";
import type { MachineEvent, PingOutcome, PublishedPort, StartParameters } from "./messages.ts";
import { OutputCollector } from "./output-collector.ts";
import { OutsidePings } from "./outside-pings.ts";
import type { CountedRefusal } from "./refusals.ts";
import type { ExecResult, GuestFile } from "./result.ts";
import { Turnstile } from "./turnstile.ts";

const START_DEADLINE_MS = 120_000;
const CALL_DEADLINE_MS = 60_000;
const FILE_DEADLINE_MS = 300_000;
/** What a machine's process is made of. */
const SOURCES = ["src/start", "relay", "workers/machine", "workers/ninep"];
const DEFAULT_MAX_OUTPUT_BYTES = 32 << 20;

export interface Terminal {
  /** Resolves with the shell's exit status when it ends. */
  ended: Promise<number>;
  write(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
}

export interface TerminalOptions {
  columns: number;
  rows: number;
  /** `TERM` for the guest. */
  term: string;
  onOutput(bytes: Uint8Array): void;
}

export interface MachineOptions extends MachineProcessOptions {
  /** What the guest wanted of the network in a turn and did not get. */
  onRefused?(refusals: CountedRefusal[]): void;
}

/** One running v86 in a process of its own. See `MachineApi` for the calls. */
export class Machine implements MachineApi {
  readonly #process: MachineProcess;
  /** One command at a time: the guest has one resident shell. */
  readonly #turnstile = new Turnstile();
  readonly #outputs = new Map<number, OutputCollector>();
  /** Of a process that was killed they are left behind. */
  readonly #sockets = new Set<string>();
  readonly #scratch: string;
  #onTerminal: ((bytes: Uint8Array) => void) | undefined;
  readonly #onConsole: ((text: string) => void) | undefined;
  readonly #pings: OutsidePings;
  readonly #onRefused: ((refusals: CountedRefusal[]) => void) | undefined;

  private constructor(
    { files, network }: StartParameters,
    onConsole: ((text: string) => void) | undefined,
    { onRefused, ...options }: MachineOptions,
  ) {
    this.#onConsole = onConsole;
    this.#onRefused = onRefused;
    this.#pings = new OutsidePings({ network, ping, nowMs: () => performance.now() });
    this.#scratch = files.scratch;
    this.#process = new MachineProcess(files, (event) => this.#receive(event), options);
  }

  /**
   * @param onConsole gets what the guest's kernel prints.
   * @throws MachineError START_FAILED, BAD_IMAGE
   */
  static async start(
    parameters: StartParameters,
    onConsole?: (text: string) => void,
    options: MachineOptions = {},
  ): Promise<Machine> {
    await mkdir(parameters.files.blobs, { recursive: true });
    await mkdir(parameters.files.scratch, { recursive: true });
    const machine = new Machine(parameters, onConsole, options);
    try {
      // While that one begins, for all that come after it.
      keepStripped(SOURCES);
      await machine.#process.call("start", parameters, START_DEADLINE_MS);
    } catch (error) {
      await machine.stop();
      if (error instanceof MachineError && error.code === "MACHINE_DIED") {
        throw new MachineError("START_FAILED", `the machine did not start: ${error.message}`, {
          cause: error,
        });
      }
      throw error;
    }
    return machine;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** True once the machine can no longer be used; every call then fails. */
  get isDead(): boolean {
    return this.#process.failure !== undefined;
  }

  exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    return this.#turnstile.pass(() => this.#exec(command, options));
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#turnstile.pass(() => this.#process.call("readFile", { path }, FILE_DEADLINE_MS));
  }

  writeFile(path: string, data: Uint8Array): Promise<void> {
    return this.#turnstile.pass(() =>
      this.#process.call("writeFile", { path, data }, FILE_DEADLINE_MS),
    );
  }

  listFiles(directory: string): Promise<GuestFile[]> {
    return this.#turnstile.pass(() =>
      this.#process.call("listFiles", { directory }, FILE_DEADLINE_MS),
    );
  }

  async linger(): Promise<number> {
    const { programs } = await this.#turnstile.pass(() =>
      this.#process.call("linger", null, CALL_DEADLINE_MS),
    );
    return programs;
  }

  reset(): Promise<void> {
    return this.#load(null);
  }

  save(): Promise<SandboxState> {
    return this.#turnstile.pass(() => this.#process.call("save", null, CALL_DEADLINE_MS));
  }

  load(state: SandboxState): Promise<void> {
    return this.#load(state);
  }

  /** Save this machine, booted from power-on and warmed up, as the base `id` in `folder`. */
  saveBase(folder: string, id: string): Promise<{ bytes: number }> {
    return this.#turnstile.pass(() =>
      this.#process.call("saveBase", { folder, id }, FILE_DEADLINE_MS),
    );
  }

  /** Keep what V8 compiled of the emulator until now in the folder of a base: its machines start sooner with it. */
  saveCode(folder: string): Promise<void> {
    return this.#turnstile.pass(() => this.#process.call("saveCode", { folder }, FILE_DEADLINE_MS));
  }

  /**
   * Joins a port of the host's to one that a program of the guest listens on, until another sandbox is in the machine.
   * Where nobody listens, connections are reset.
   *
   * @returns the port that was taken, where any was asked for.
   * @throws MachineError PUBLISH_FAILED, NO_WAY_IN
   */
  publish(port: PublishedPort): Promise<PublishedPort> {
    return this.#turnstile.pass(() => this.#process.call("publish", port, CALL_DEADLINE_MS));
  }

  async publishSocket(guestPort: number): Promise<string> {
    // Short: the system takes 107 characters for all of it.
    const path = join(this.#scratch, `port-${randomBytes(8).toString("hex")}`);
    this.#sockets.add(path);
    // Past the turnstile: what is asked for before another sandbox is loaded reaches the process before that.
    await this.#process.call("publishSocket", { path, guestPort }, CALL_DEADLINE_MS);
    return path;
  }

  /** What has gone through the network since the machine was started. */
  networkStats(): Promise<RelayStats> {
    return this.#process.call("networkStats", null, CALL_DEADLINE_MS);
  }

  /** An interactive shell on a terminal of the guest. */
  openTerminal(options: TerminalOptions): Terminal {
    this.#onTerminal = options.onOutput;
    const { columns, rows, term } = options;
    const ended = this.#turnstile
      .pass(() => this.#process.call("terminal", { columns, rows, term }, Number.POSITIVE_INFINITY))
      .then(({ exitCode }) => exitCode);
    const ignoreFailure = (): void => {
      // `ended` tells it.
    };
    return {
      ended,
      write: (bytes) => {
        this.#process.call("keys", { bytes }, CALL_DEADLINE_MS).catch(ignoreFailure);
      },
      resize: (newColumns, newRows) => {
        this.#process
          .call("resize", { columns: newColumns, rows: newRows }, CALL_DEADLINE_MS)
          .catch(ignoreFailure);
      },
    };
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    await Promise.all([...this.#sockets].map((path) => rm(path, { force: true })));
  }

  #load(state: SandboxState | null): Promise<void> {
    return this.#turnstile.pass(async () => {
      const before = [...this.#sockets];
      await this.#process.call("load", state, CALL_DEADLINE_MS);
      // They have gone with the sandbox that they led to.
      for (const path of before) this.#sockets.delete(path);
    });
  }

  async #exec(command: string, options: ExecOptions): Promise<ExecResult> {
    const output = new OutputCollector(options.onStdout, options.onStderr);
    if (options.signal?.aborted) return canceledBeforeStart(command);

    const call = this.#process.call(
      "exec",
      {
        script: command,
        hasInput: options.stdin !== undefined,
        files: options.files ?? {},
        timeoutMs: options.timeoutMs ?? null,
        maxOutputBytes: options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
      },
      Number.POSITIVE_INFINITY,
    );
    this.#outputs.set(call.id, output);
    const cancel = (): void => {
      this.#process.call("cancel", { exec: call.id }, CALL_DEADLINE_MS).catch(() => {
        // The exec itself fails with the same error.
      });
    };
    options.signal?.addEventListener("abort", cancel, { once: true });
    const feed =
      options.stdin === undefined
        ? undefined
        : new InputFeed(options.stdin, (chunk) =>
            this.#process.call("input", { exec: call.id, chunk }, Number.POSITIVE_INFINITY),
          );
    try {
      const { lastOutput, ...report } = await call;
      if (lastOutput !== null) output.add(lastOutput.stream, lastOutput.chunk);
      return { command, ...report, stdout: output.stdout, stderr: output.stderr };
    } finally {
      feed?.stop();
      options.signal?.removeEventListener("abort", cancel);
      this.#outputs.delete(call.id);
    }
  }

  #pinged(id: number, outcome: PingOutcome): void {
    this.#process.call("pinged", { id, outcome }, CALL_DEADLINE_MS).catch(() => {
      // A process that has ended waits for no ping.
    });
  }

  #receive(event: MachineEvent): void {
    switch (event.event) {
      case "output":
        this.#outputs.get(event.exec)?.add(event.stream, event.chunk);
        return;
      case "terminal":
        this.#onTerminal?.(event.bytes);
        return;
      case "console":
        this.#onConsole?.(event.text);
        return;
      case "refused":
        this.#onRefused?.(event.refusals);
        return;
      case "ping":
        void this.#pings.ask(event.address).then((outcome) => this.#pinged(event.id, outcome));
        return;
      case "broken":
        // Every call has been told.
        return;
    }
  }
}

function canceledBeforeStart(command: string): ExecResult {
  return {
    command,
    exitCode: null,
    signal: null,
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    durationMs: 0,
    failed: true,
    timedOut: false,
    isCanceled: true,
    isMaxBuffer: false,
    files: [],
  };
}
