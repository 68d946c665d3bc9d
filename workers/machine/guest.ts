import { MachineError } from "./api.ts";
import type { Emulator } from "./emulator.ts";
import type { ExecReport } from "./messages.ts";
import type { TurnEnd, TurnFiles } from "./turn-files.ts";

/** Times of the ladder that ends a turn: SIGINT at once, then what is stronger. */
const KILL_AFTER_MS = 2_000;
const RESET_AFTER_MS = 2_000;
const GIVE_UP_AFTER_MS = 15_000;

/** Signals as a shell reports them: status 128 + number. */
const SIGNALS: Record<number, string> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
};

export interface TurnRequest {
  script: string;
  hasInput: boolean;
  files: Record<string, Uint8Array>;
  timeoutMs: number | null;
  maxOutputBytes: number;
  onOutput(stream: "stdout" | "stderr", chunk: Uint8Array): void;
}

export interface RunningTurn {
  result: Promise<Omit<ExecReport, "files"> & { attached: string[] }>;
  /** Resolves when there is room for more. */
  input(chunk: Uint8Array | null): Promise<void>;
  cancel(): void;
}

/** What stands in a snapshot beside memory. */
export interface GuestState {
  shellPid: number;
  /** Numbers are never used again in a sandbox: a background program may still hold an earlier turn's files. */
  nextNumber: number;
  /** The number whose wires the resident shell has opened, or is about to. */
  upcoming: number;
  directory: string;
}

type EndReason = "timeout" | "cancel" | "output";

/** What the host says to the resident shell and the control agent, and hears from them by the turn files. */
export class Guest {
  readonly #emulator: Emulator;
  readonly #turns: TurnFiles;
  #shellPid = 0;
  #nextNumber = 1;
  /** Number of the turn after the running one. */
  #following = 0;
  #directory = "/root";
  #whenReady: (() => void) | undefined;
  #finishCurrent: ((end: TurnEnd) => void) | undefined;

  constructor(emulator: Emulator, turns: TurnFiles) {
    this.#emulator = emulator;
    this.#turns = turns;
    turns.onReady = (pid) => {
      this.#shellPid = pid;
      this.#whenReady?.();
    };
    // The resident shell is gone without a word: killed, or replaced by `exec`. Its status is the turn's.
    turns.onGone = (status) => this.#finish({ status, directory: "/root" });
    turns.upcoming = this.#nextNumber++;
  }

  save(): GuestState {
    return {
      shellPid: this.#shellPid,
      upcoming: this.#turns.upcoming,
      nextNumber: this.#nextNumber,
      directory: this.#directory,
    };
  }

  load(state: GuestState): void {
    this.#shellPid = state.shellPid;
    this.#turns.upcoming = state.upcoming;
    this.#nextNumber = state.nextNumber;
    this.#directory = state.directory;
  }

  /** The resident shell's current directory. */
  get directory(): string {
    return this.#directory;
  }

  /** Wait for the resident shell of a machine that boots. */
  async ready(deadlineMs: number): Promise<void> {
    if (this.#shellPid !== 0) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new MachineError("START_FAILED", `the guest did not start in ${deadlineMs / 1000} s`),
          ),
        deadlineMs,
      );
      this.#whenReady = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Run a command in the resident shell. One at a time. */
  run(request: TurnRequest): RunningTurn {
    const number = this.#turns.upcoming;
    const startedMs = performance.now();
    let outputBytes = 0;
    let reason: EndReason | undefined;
    let strongest: "SIGINT" | "SIGKILL" = "SIGINT";
    const timers: NodeJS.Timeout[] = [];
    const later = (ms: number, what: () => void): void => {
      timers.push(setTimeout(what, ms));
    };

    const turn = this.#turns.openTurn(number, {
      script: request.script,
      files: request.files,
      hasInput: request.hasInput,
      onOutput: (stream, chunk) => {
        if (reason === "output") return;
        const room = request.maxOutputBytes - outputBytes;
        outputBytes += chunk.length;
        // The frame it came in is used again: what is kept must be a copy.
        if (room > 0) request.onOutput(stream, new Uint8Array(chunk.subarray(0, room)));
        if (outputBytes > request.maxOutputBytes) end("output");
      },
      onEnd: (turnEnd) => this.#finish(turnEnd),
    });

    const end = (why: EndReason): void => {
      if (reason !== undefined) return;
      reason = why;
      turn.closeInput();
      // Not from inside a 9P request: the processor is in the middle of an instruction there.
      setImmediate(() => this.#order(`int ${number} ${this.#shellPid}`));
      later(KILL_AFTER_MS, () => {
        strongest = "SIGKILL";
        this.#order(`kill ${number} ${this.#shellPid}`);
      });
      later(KILL_AFTER_MS + RESET_AFTER_MS, () => this.#order(`reset ${number} ${this.#shellPid}`));
      later(KILL_AFTER_MS + RESET_AFTER_MS + GIVE_UP_AFTER_MS, () =>
        reject(
          new MachineError("GUEST_DIED", "the command could not be ended: the guest is stuck"),
        ),
      );
    };

    let reject: (error: Error) => void = () => {};
    const ended = new Promise<TurnEnd>((resolveEnd, rejectEnd) => {
      reject = rejectEnd;
      this.#finishCurrent = resolveEnd;
    });
    if (request.timeoutMs !== null) later(request.timeoutMs, () => end("timeout"));
    const input = request.hasInput ? "stdin" : "-";
    const following = this.#nextNumber++;
    this.#following = following;
    this.#emulator.sendLine(0, `${number} ${following} ${input} ${scriptForLine(request.script)}`);

    const result = ended
      .then((turnEnd) => {
        this.#directory = turnEnd.directory;
        return turnEnd;
      })
      .then((turnEnd) => ({
        ...describe(turnEnd.status, reason, strongest),
        durationMs: performance.now() - startedMs,
        attached: turn.attached,
      }))
      .finally(() => {
        for (const timer of timers) clearTimeout(timer);
        this.#finishCurrent = undefined;
        turn.close();
      });
    return { result, input: (chunk) => turn.input(chunk), cancel: () => end("cancel") };
  }

  /** Run a script of ours apart from the resident shell. Bounded by `deadlineMs`. */
  async runApart(
    script: string,
    input: Uint8Array | undefined,
    deadlineMs: number,
  ): Promise<{ status: number; stdout: Uint8Array; stderr: string }> {
    const number = this.#nextNumber++;
    const output: Record<"stdout" | "stderr", Uint8Array[]> = { stdout: [], stderr: [] };
    let timer: NodeJS.Timeout | undefined;
    const ended = new Promise<TurnEnd>((resolve, reject) => {
      const turn = this.#turns.openTurn(number, {
        // bash 5.2 replaces a subshell by the last command of an and-or list, even in a sourced file, and then
        // nobody reports the status.
        script: `${script}\nreturn\n`,
        files: {},
        hasInput: input !== undefined,
        onOutput: (stream, chunk) => output[stream].push(new Uint8Array(chunk)),
        onEnd: (turnEnd) => {
          turn.close();
          resolve(turnEnd);
        },
      });
      if (input !== undefined) {
        turn.input(input).catch(reject);
        turn.closeInput();
      }
      timer = setTimeout(() => {
        turn.close();
        reject(
          new MachineError(
            "GUEST_DIED",
            `the guest did not answer in ${deadlineMs / 1000} s when it was told: ${script.slice(0, 80)}`,
          ),
        );
      }, deadlineMs);
      const from = input === undefined ? "/dev/null" : `/run/mom/${number}.in`;
      this.#order(`run ${number} ${from}`);
    });
    const { status } = await ended.finally(() => clearTimeout(timer));
    return {
      status,
      stdout: Buffer.concat(output.stdout),
      stderr: Buffer.concat(output.stderr).toString(),
    };
  }

  /** An interactive shell on the virtio console; resolves with its status. */
  async terminal(term: string): Promise<number> {
    const number = this.#nextNumber++;
    const { status } = await new Promise<TurnEnd>((resolve) => {
      const turn = this.#turns.openTurn(number, {
        script: "",
        files: {},
        hasInput: false,
        onOutput: () => {},
        onEnd: (turnEnd) => {
          turn.close();
          resolve(turnEnd);
        },
      });
      this.#order(`terminal ${number} ${/^[\w.+-]{1,40}$/.test(term) ? term : "vt100"}`);
    });
    return status;
  }

  /**
   * The running turn is over. At once, inside the guest's write: the next thing that the shell does is to open the
   * wires of the turn to come, which must have its number by then.
   */
  #finish(end: TurnEnd): void {
    const finish = this.#finishCurrent;
    if (finish === undefined) return;
    this.#finishCurrent = undefined;
    this.#turns.upcoming = this.#following;
    finish(end);
  }

  #order(line: string): void {
    this.#emulator.sendLine(1, line);
  }
}

/** Longest script, as `printf %b` takes it, that goes with its line instead of its wire. */
const MAX_LINE_SCRIPT = 1_024;

/** A short script in a form that survives a terminal line; empty where it has to go by its wire. */
function scriptForLine(script: string): string {
  if (script.length > MAX_LINE_SCRIPT || script.includes("\0")) return "";
  const escaped = Buffer.from(script, "utf8")
    .toString("latin1")
    .replace(/[^ -\x5b\x5d-~]|^ | $/g, (byte) => {
      return `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
    });
  return escaped.length > MAX_LINE_SCRIPT ? "" : escaped;
}

function describe(
  status: number,
  reason: EndReason | undefined,
  strongest: "SIGINT" | "SIGKILL",
): Pick<ExecReport, "exitCode" | "signal" | "failed" | "timedOut" | "isCanceled" | "isMaxBuffer"> {
  return {
    exitCode: reason === undefined ? status : null,
    signal: reason === undefined ? (SIGNALS[status - 128] ?? null) : strongest,
    failed: reason !== undefined || status !== 0,
    timedOut: reason === "timeout",
    isCanceled: reason === "cancel",
    isMaxBuffer: reason === "output",
  };
}
