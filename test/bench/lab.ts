import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { machineParameters } from "../../images/base.ts";
import type { Guest } from "../../src/cli/guest.ts";
import type { Environment } from "../../src/config/environment.ts";
import type { ExecOptions } from "../../workers/machine/api.ts";
import { Machine } from "../../workers/machine/machine.ts";
import type { ExecResult } from "../../workers/machine/result.ts";
import { warmUp } from "../../workers/warm-up.ts";
import { BenchError } from "./errors.ts";
import { type SideName, Standstill } from "./standstill.ts";
import type { StockBase } from "./stock/base.ts";
import { StockMachine, type StockOptions } from "./stock/machine.ts";

/** A machine that nobody asks anything must not take time from the one that is measured beside it. */
const IDLE_AFTER_MS = 200;
/** One that stands still for the other side's run is not silent. */
const SILENT_AFTER_MS = 3_600_000;

export interface LabOptions {
  /** The checkout. */
  root: string;
  env: Environment;
  guest: Guest;
  memoryBytes: number;
  /** Absent when nothing is compared with stock, its state when stock only boots. */
  stockBase: Partial<StockBase> | undefined;
  /** Emptied at the end. */
  folder: string;
  signal: AbortSignal;
}

/** Where the machines of one case come from, and what ends them all. */
export class Lab {
  readonly root: string;
  readonly env: Environment;
  readonly guest: Guest;
  readonly #stockBase: Partial<StockBase> | undefined;
  readonly signal: AbortSignal;
  /** Blobs, snapshots and scratch files of this case. */
  readonly folder: string;
  readonly memoryBytes: number;
  readonly #standstill = new Standstill();
  readonly #cleanUps: (() => Promise<void>)[] = [];
  readonly #onAbort = () => void this.close();

  constructor(options: LabOptions) {
    this.root = options.root;
    this.env = options.env;
    this.guest = options.guest;
    this.#stockBase = options.stockBase;
    this.signal = options.signal;
    this.folder = options.folder;
    this.memoryBytes = options.memoryBytes;
    this.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /**
   * Our machine in a fresh process, in a new sandbox. `fromPowerOn`: booted instead; `isWarm`: warmed up before, as
   * a worker does it; `hostPorts`: what it reaches of this host.
   */
  async startOurs(
    options: { fromPowerOn?: true; isWarm?: true; hostPorts?: readonly number[] } = {},
  ): Promise<Machine> {
    this.signal.throwIfAborted();
    const { image, base } = this.guest;
    const machine = await Machine.start(
      machineParameters(image, options.fromPowerOn ? null : base, {
        dataDir: this.folder,
        memoryBytes: this.memoryBytes,
        idleAfterMs: IDLE_AFTER_MS,
        network: { backend: "relay", rules: "", hostPorts: options.hostPorts ?? [], limits: {} },
      }),
      undefined,
      { silentAfterMs: SILENT_AFTER_MS },
    );
    this.#standstill.add("ours", machine);
    this.onClose(() => machine.stop());
    if (options.isWarm) {
      await warmUp(machine, this.signal);
      await machine.reset();
    }
    return machine;
  }

  /** A stock machine in a fresh process, at its shell; `fromPowerOn`: booted instead of restored. */
  async startStock(
    options: { fromPowerOn?: true } & Partial<
      Pick<StockOptions, "execArgv" | "twoPhase" | "network">
    > = {},
  ): Promise<StockMachine> {
    this.signal.throwIfAborted();
    const { fromPowerOn, ...rest } = options;
    const from = fromPowerOn ? this.#stockBase?.fromPowerOn : this.#stockBase?.fromState;
    if (!from) throw new Error("the stock machine's base comes first");
    const machine = await StockMachine.start({ ...from, ...rest }, this.signal);
    this.#standstill.add("stock", machine);
    this.onClose(() => machine.stop());
    return machine;
  }

  /** The machines of the other side stand still from here on. */
  only(side: SideName): void {
    this.#standstill.only(side);
  }

  onClose(cleanUp: () => Promise<void>): void {
    this.#cleanUps.push(cleanUp);
  }

  async makeFolder(name: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  async close(): Promise<void> {
    this.signal.removeEventListener("abort", this.#onAbort);
    this.#standstill.end();
    for (;;) {
      const cleanUp = this.#cleanUps.pop();
      if (cleanUp === undefined) break;
      await cleanUp();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Run a command that must succeed: a failed one has no time worth telling. */
export async function succeed(
  machine: Machine,
  command: string,
  options?: ExecOptions,
): Promise<ExecResult> {
  const result = await machine.exec(command, options);
  if (!result.failed) return result;
  const said = Buffer.from(result.stderr).toString().trim();
  throw new BenchError(
    "COMMAND_FAILED",
    `the command failed in our machine: ${command}: exit ${result.exitCode} ${said}`,
  );
}
