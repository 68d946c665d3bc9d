import { MachineError } from "./api.ts";
import type { Emulator } from "./emulator.ts";
import type { ExecReport } from "./messages.ts";
import { MAX_WORDS_BYTES } from "./shell-mailbox.ts";
import type { OpenTurn, TurnFiles } from "./turn-files.ts";

/**
 * The ladder that ends a turn: SIGINT at once; what it started is killed; the resident shell is killed, as soon as
 * it is the last that is left; it is killed whatever is left; all that turns ever started is killed; the guest is
 * given up. A guest is slow where its host is busy, and the later steps cost a thread its shell or its programs.
 */
const KILL_AFTER_MS = 2_000;
const KILL_SHELL_AFTER_MS = 4_000;
const KILL_SHELL_AGAIN_MS = 1_000;
const FORCE_AFTER_MS = 15_000;
const RESET_AFTER_MS = 20_000;
const GIVE_UP_AFTER_MS = 30_000;
/** How often the control agent is asked to look whether a running turn leaves the kernel without memory. */
const WATCH_MEMORY_MS = 1_000;

/** Turns are numbered one after another; what runs apart from the resident shell, from a number none comes to. */
const FIRST_TURN = 1;
const FIRST_APART = 100_000_000;

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
  /** `chunk` is valid during the call only. */
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
  /**
   * Number of the turn to come: the resident shell has opened its wires, or is about to. Numbers are never used
   * again in a sandbox: a background program may still hold an earlier turn's files.
   */
  upcoming: number;
  /** Number of what runs next apart from the resident shell. */
  nextApart: number;
  /** Nothing has run in the sandbox yet: it is the base's. */
  isNew: boolean;
}

type EndReason = "timeout" | "cancel" | "output";

/** What the host says to the resident shell and the control agent, and hears from them by the turn files. */
export class Guest {
  readonly #emulator: Emulator;
  readonly #turns: TurnFiles;
  #shellPid = 0;
  #nextApart = FIRST_APART;
  #isNew = false;
  #whenReady: (() => void) | undefined;
  #current: { turn: OpenTurn; number: number; finish(status: number): void } | undefined;
  /** Status of a resident shell that is gone while its successor is not there yet. */
  #goneStatus: number | undefined;

  constructor(emulator: Emulator, turns: TurnFiles) {
    this.#emulator = emulator;
    this.#turns = turns;
    turns.upcoming = FIRST_TURN;
    turns.onReady = (pid) => {
      this.#shellPid = pid;
      this.#whenReady?.();
      const status = this.#goneStatus;
      this.#goneStatus = undefined;
      if (status !== undefined) this.#finish(status);
    };
    // The resident shell is gone without a word: killed, or replaced by `exec`. Its status is the turn's.
    turns.onGone = (status) => {
      if (this.#current?.turn.isBegun) this.#goneStatus ??= status;
    };
  }

  save(): GuestState {
    return {
      shellPid: this.#shellPid,
      upcoming: this.#turns.upcoming,
      nextApart: this.#nextApart,
      isNew: this.#isNew,
    };
  }

  load(state: GuestState): void {
    this.#shellPid = state.shellPid;
    this.#turns.upcoming = state.upcoming;
    this.#nextApart = state.nextApart;
    this.#isNew = state.isNew;
    this.#goneStatus = undefined;
    this.#turns.shell.clear();
  }

  /** The resident shell has done all it was told, and waits for a turn. */
  get isWaiting(): boolean {
    return this.#turns.shell.isWaiting;
  }

  /** A path in the guest that leads to the resident shell's current directory. */
  get directory(): string {
    return `/proc/${this.#shellPid}/cwd`;
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
    const shellTimers: NodeJS.Timeout[] = [];
    const later = (ms: number, what: () => void, among = timers): void => {
      among.push(setTimeout(what, ms));
    };

    const turn = this.#turns.openTurn(number, {
      script: request.script,
      files: request.files,
      hasInput: request.hasInput,
      onOutput: (stream, chunk) => {
        if (reason === "output") return;
        const room = request.maxOutputBytes - outputBytes;
        outputBytes += chunk.length;
        if (room > 0) request.onOutput(stream, chunk.subarray(0, room));
        if (outputBytes > request.maxOutputBytes) end("output");
      },
      onEnd: (status) => this.#finish(status),
      onSwept: () => {
        sweeps--;
        if (sweeps === 0) allSwept.resolve();
      },
    });
    let sweeps = 0;
    const allSwept = Promise.withResolvers<void>();
    const sweep = (): void => {
      sweeps++;
      const next = this.#turns.upcoming === number ? "" : ` ${this.#turns.upcoming}`;
      this.#order(`kill ${number} ${this.#shellPid}${next}`);
    };

    const end = (why: EndReason): void => {
      if (reason !== undefined) return;
      reason = why;
      turn.closeInput();
      // Not from inside a 9P request: the processor is in the middle of an instruction there.
      setImmediate(() => this.#order(`int ${number} ${this.#shellPid}`));
      later(KILL_AFTER_MS, () => {
        strongest = "SIGKILL";
        sweep();
      });
      for (let ms = KILL_SHELL_AFTER_MS; ms < FORCE_AFTER_MS; ms += KILL_SHELL_AGAIN_MS) {
        later(ms, () => this.#order(`shell ${number} ${this.#shellPid}`), shellTimers);
      }
      later(FORCE_AFTER_MS, () => this.#order(`force ${number} ${this.#shellPid}`), shellTimers);
      later(RESET_AFTER_MS, () => this.#order(`reset ${number} ${this.#shellPid}`));
      later(GIVE_UP_AFTER_MS, () => {
        const stuck = "the command could not be ended: the guest is stuck";
        ended.reject(new MachineError("GUEST_DIED", stuck));
        allSwept.reject(new MachineError("GUEST_DIED", stuck));
      });
    };

    const ended = Promise.withResolvers<number>();
    // Waited for only after a turn that was cut short.
    allSwept.promise.catch(() => {});
    this.#current = { turn, number, finish: ended.resolve };
    if (request.timeoutMs !== null) later(request.timeoutMs, () => end("timeout"));
    timers.push(this.#watchMemory(number));
    this.#emulator.timerHold.begin();
    turn.start(shellWords(request, this.#isNew));
    this.#isNew = false;

    const result = ended.promise
      .then(async (status) => {
        const durationMs = performance.now() - startedMs;
        for (const timer of shellTimers) clearTimeout(timer);
        if (reason !== undefined) {
          // What ignores SIGINT, as background jobs do, or left the session must not outlive a turn cut short.
          sweep();
          await allSwept.promise;
          // The interrupt may have come when the turn was over. The shell would take it for one of the next turn.
          this.#turns.shell.give(LOOK_FOR_SIGNALS);
        }
        const { attached } = turn;
        return { ...describe(status, reason, strongest), durationMs, attached };
      })
      .finally(() => {
        for (const timer of [...timers, ...shellTimers]) clearTimeout(timer);
        this.#current = undefined;
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
    const number = this.#nextApart++;
    const output: Record<"stdout" | "stderr", Uint8Array[]> = { stdout: [], stderr: [] };
    let timer: NodeJS.Timeout | undefined;
    const ended = new Promise<number>((resolve, reject) => {
      const turn = this.#turns.openTurn(number, {
        // bash 5.2 replaces a subshell by the last command of an and-or list, even in a sourced file, and then
        // nobody reports the status.
        script: `${script}\nreturn\n`,
        files: {},
        hasInput: input !== undefined,
        onOutput: (stream, chunk) => output[stream].push(new Uint8Array(chunk)),
        onEnd: (status) => {
          turn.close();
          resolve(status);
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
    const status = await ended.finally(() => clearTimeout(timer));
    return {
      status,
      stdout: Buffer.concat(output.stdout),
      stderr: Buffer.concat(output.stderr).toString(),
    };
  }

  /** An interactive shell on the virtio console; resolves with its status. */
  async terminal(term: string): Promise<number> {
    const number = this.#nextApart++;
    const watch = this.#watchMemory(number);
    const status = await new Promise<number>((resolve) => {
      const turn = this.#turns.openTurn(number, {
        script: "",
        files: {},
        hasInput: false,
        onOutput: () => {},
        onEnd: (status) => {
          turn.close();
          resolve(status);
        },
      });
      this.#order(`terminal ${number} ${/^[\w.+-]{1,40}$/.test(term) ? term : "vt100"}`);
    });
    clearInterval(watch);
    return status;
  }

  /**
   * The running turn is over. At once, inside the guest's request: the next thing that the shell does is to open the
   * wires of the turn to come, which must have its number by then.
   */
  #finish(status: number): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#turns.upcoming = current.number + 1;
    current.finish(status);
    this.#emulator.timerHold.end();
    // Who waits for it is told before the shell prepares for the next.
    this.#emulator.endSlice();
  }

  #watchMemory(number: number): NodeJS.Timeout {
    return setInterval(() => this.#order(`memory ${number}`), WATCH_MEMORY_MS);
  }

  #order(line: string): void {
    this.#emulator.sendLine(line);
  }
}

/** Bash looks for signals, and tells of jobs that were killed, before and after it does this: nothing. */
const LOOK_FOR_SIGNALS = Buffer.from("__mom_turn=; builtin continue\n");
/** In a new thread $RANDOM stands where it stood in the base, and so in every other new thread. */
const NEW_RANDOM = "RANDOM=$SRANDOM; ";
/**
 * Through a pipe, as programs expect of standard input. Without O_NONBLOCK, Linux's 9P client would wait for a whole
 * buffer before it returned what has come.
 */
const WITH_INPUT = ' < <(exec dd if="$MOM_TURN.in" bs=64k iflag=nonblock status=none)';

/** What the resident shell is told: the script itself where that does, or where to find it. */
function shellWords({ script, hasInput }: TurnRequest, isNew: boolean): Uint8Array {
  const words = Buffer.from(script);
  // Of an empty file bash takes no notice.
  if (words.length === 0) return Buffer.from("\n");
  if (!hasInput && !isNew && words.length <= MAX_WORDS_BYTES) return words;
  const first = isNew ? NEW_RANDOM : "";
  return Buffer.from(`${first}builtin source "$MOM_TURN.sh"${hasInput ? WITH_INPUT : ""}\n`);
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
