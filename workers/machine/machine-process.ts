import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { MachineError, type MachineErrorCode } from "./api.ts";
import { confinement } from "./confinement.ts";
import type { CallName, Calls, FromMachine, MachineEvent, MachineFiles } from "./messages.ts";
import { machineExecArgv } from "./v8-flags.ts";

/** A machine's process answers a ping between two slices of guest time, which last milliseconds. */
const SILENT_AFTER_MS = 30_000;
const PINGS_BEFORE_SILENCE = 6;
const KILL_AFTER_MS = 2_000;

export interface MachineProcessOptions {
  /** A process that has not been heard for so long is killed. */
  silentAfterMs?: number;
}

const FATAL: ReadonlySet<MachineErrorCode> = new Set(["MACHINE_DIED", "GUEST_DIED"]);

interface Waiting {
  resolve(out: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The parent's end of a machine's process: calls with deadlines, events, and the certainty that a process that
 * is dead or silent ends every call with a `MachineError`.
 */
export class MachineProcess {
  readonly #child: ChildProcess;
  readonly #onEvent: (event: MachineEvent) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  readonly #silentAfterMs: number;
  #lastHeardMs = 0;
  #lastPingMs = 0;
  #pinging: NodeJS.Timeout | undefined;
  #failure: MachineError | undefined;
  #isStopping = false;
  #errorOutput = "";

  constructor(
    files: MachineFiles,
    onEvent: (event: MachineEvent) => void,
    { silentAfterMs = SILENT_AFTER_MS }: MachineProcessOptions = {},
  ) {
    this.#onEvent = onEvent;
    this.#silentAfterMs = silentAfterMs;
    this.#child = fork(fileURLToPath(new URL("./main.js", import.meta.url)), [], {
      // Nothing of ours goes along: no tokens, no Redis address. A guest that breaks out finds an empty room.
      env: {},
      execArgv: [...machineExecArgv(process.versions.node), ...confinement(files)],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-4_000);
    });
    this.#child.on("message", (message: FromMachine) => this.#receive(message));
    this.#child.on("error", (error) =>
      this.#fail("the machine's process could not be used", error),
    );
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        clearInterval(this.#pinging);
        this.#fail(`the machine's process ended (${signal ?? `status ${code}`})`);
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Why the process can no longer be used, once that is so. */
  get failure(): MachineError | undefined {
    return this.#failure;
  }

  /** What the process wrote to its standard error last: for logs. */
  get errorOutput(): string {
    return this.#errorOutput;
  }

  /** @param deadlineMs the process is killed when it has not answered by then. */
  call<Name extends CallName>(
    name: Name,
    parameters: Calls[Name]["in"],
    deadlineMs: number,
  ): Promise<Calls[Name]["out"]> & { id: number } {
    const id = this.#nextId++;
    const answered = new Promise<Calls[Name]["out"]>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const timer = Number.isFinite(deadlineMs)
        ? setTimeout(
            () => this.#fail(`the machine did not answer "${name}" in ${deadlineMs / 1000} s`),
            deadlineMs,
          )
        : undefined;
      this.#waiting.set(id, { resolve: resolve as (out: unknown) => void, reject, timer });
      this.#child.send({ id, call: name, in: parameters }, (error) => {
        if (error) this.#fail("the machine's process cannot be reached", error);
      });
    });
    return Object.assign(answered, { id });
  }

  /** End the process. Calls that wait fail. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), KILL_AFTER_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #receive(message: FromMachine): void {
    this.#lastHeardMs = performance.now();
    if ("event" in message) {
      if (message.event === "broken")
        this.#failWith(new MachineError(message.code, message.message));
      this.#onEvent(message);
      return;
    }
    this.#pinging ??= this.#listen();
    const waiting = this.#waiting.get(message.answer);
    if (waiting === undefined) return;
    this.#waiting.delete(message.answer);
    clearTimeout(waiting.timer);
    if ("error" in message) {
      const error = new MachineError(message.error.code, message.error.message);
      waiting.reject(error);
      // Whatever came to pass inside, nothing can be relied on any more.
      if (FATAL.has(error.code)) this.#failWith(error);
    } else {
      waiting.resolve(message.out);
    }
  }

  /** From the first answer on: until then the process loads a memory's worth of files in one go, and has that call's deadline. */
  #listen(): NodeJS.Timeout {
    this.#lastPingMs = performance.now();
    const every = this.#silentAfterMs / PINGS_BEFORE_SILENCE;
    return setInterval(() => this.#ping(), every).unref();
  }

  #ping(): void {
    const nowMs = performance.now();
    const sinceLastPingMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    // This process stood still itself (frozen, or busy): what the machine said meanwhile has not been read yet.
    const stoodStill = sinceLastPingMs > this.#silentAfterMs / 2;
    if (!stoodStill && nowMs - this.#lastHeardMs > this.#silentAfterMs) {
      this.#fail(`the machine has been silent for ${this.#silentAfterMs / 1000} s`);
      return;
    }
    this.call("ping", null, Number.POSITIVE_INFINITY).catch(() => {
      // Told to every call by #fail.
    });
  }

  #fail(reason: string, cause?: Error): void {
    const detail = this.#isStopping ? "" : lastLine(this.#errorOutput);
    this.#failWith(
      new MachineError(
        "MACHINE_DIED",
        detail === "" ? reason : `${reason}: ${detail}`,
        cause ? { cause } : undefined,
      ),
    );
  }

  #failWith(error: MachineError): void {
    this.#failure ??= error;
    this.#child.kill("SIGKILL");
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#failure);
    }
    this.#waiting.clear();
  }
}

function lastLine(text: string): string {
  const lines = text
    .split("\n")
    .filter((line) => /^\w*Error\b|fatal|FATAL|out of memory/.test(line));
  return lines.at(-1)?.trim() ?? "";
}
