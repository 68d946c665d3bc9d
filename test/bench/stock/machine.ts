import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BenchError } from "../errors.ts";
import type { StockAnswer, StockCallName, StockCalls, StockStart } from "./messages.ts";

export interface StockOptions extends StockStart {
  /** For V8; none, as Node.js comes, but in the bench `v8-flags`. */
  execArgv?: string[];
}

interface Waiting {
  resolve(out: unknown): void;
  reject(error: Error): void;
}

/** v86 in a process of its own, used by its documented interface: what the bench compares Mom's machine with. */
export class StockMachine {
  /** From the constructor to a shell that answers. */
  startMs = 0;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #errorOutput = "";
  #ended: BenchError | undefined;

  private constructor(execArgv: string[]) {
    this.#child = fork(fileURLToPath(new URL("./process.ts", import.meta.url)), [], {
      env: {},
      execArgv,
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-4_000);
    });
    this.#child.on("message", (message: StockAnswer) => this.#receive(message));
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        const how = signal ?? `status ${code}`;
        this.#ended = new BenchError(
          "STOCK_FAILED",
          `the stock machine's process ended (${how}): ${this.#errorOutput}`,
        );
        for (const { reject } of this.#waiting.values()) reject(this.#ended);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** @param signal ends the machine, also while it starts. */
  static async start(
    { execArgv = [], ...parameters }: StockOptions,
    signal: AbortSignal,
  ): Promise<StockMachine> {
    const machine = new StockMachine(execArgv);
    const stop = () => void machine.stop();
    signal.addEventListener("abort", stop, { once: true });
    void machine.#exited.then(() => signal.removeEventListener("abort", stop));
    try {
      machine.startMs = (await machine.call("start", parameters)).ms;
      return machine;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isDead(): boolean {
    return this.#ended !== undefined;
  }

  call<Name extends StockCallName>(
    name: Name,
    parameters: StockCalls[Name]["in"],
  ): Promise<StockCalls[Name]["out"]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (out: unknown) => void, reject });
      this.#child.send({ id, call: name, in: parameters });
    });
  }

  /** Run a command that must succeed. */
  async run(
    command: string,
    { staysAwake = false, timeoutMs = 300_000 } = {},
  ): Promise<StockCalls["run"]["out"]> {
    const end = await this.call("run", { command, timeoutMs, staysAwake });
    if (end.exitCode !== 0) {
      throw new BenchError(
        "STOCK_FAILED",
        `the stock machine: ${command}: exit ${end.exitCode}: ${end.text}`,
      );
    }
    return end;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #receive(message: StockAnswer): void {
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if ("error" in message) waiting?.reject(new BenchError("STOCK_FAILED", message.error));
    else waiting?.resolve(message.out);
  }
}
