import { startParameters } from "../../../src/cli/guest.ts";
import { machineConfig } from "../../../src/config/index.ts";
import type { ExecOptions } from "../../../workers/machine/api.ts";
import { Machine, type MachineOptions } from "../../../workers/machine/machine.ts";
import type { StartParameters } from "../../../workers/machine/messages.ts";
import type { ExecResult } from "../../../workers/machine/result.ts";
import { testGuest } from "../../support/guest.ts";

/** No test waits for this; a guest that hangs must not hold up the rest. */
const GENEROUS_MS = 400_000;

export interface StartOptions extends MachineOptions {
  parameters?: Partial<StartParameters>;
  onConsole?: (text: string) => void;
}

/** A machine in a fresh sandbox, of this run's image and base. Stop it. */
export async function startMachine(options: StartOptions = {}): Promise<Machine> {
  const { parameters, onConsole, ...rest } = options;
  const ours = startParameters(machineConfig(process.env), await testGuest());
  return Machine.start({ ...ours, ...parameters }, onConsole, rest);
}

/** Little enough to be filled by a test. */
const SHARED_QUOTA = { bytes: 48 << 20, inodes: 50_000 };
let shared: Machine | undefined;
let hearConsole: StartOptions["onConsole"];

/**
 * A machine in a fresh sandbox that all files of a test process share, one after the other: what one of them has had compiled
 * is there for the next, as in a worker. It ends with the process.
 *
 * @param needs where these are parameters, the machine is started anew with them, and is the one of the files behind.
 */
export async function sharedMachine(
  needs: Pick<StartOptions, "parameters" | "onConsole"> = {},
): Promise<Machine> {
  hearConsole = needs.onConsole;
  if (shared === undefined || shared.isDead || needs.parameters !== undefined) {
    await shared?.stop();
    shared = await startMachine({
      parameters: { quota: SHARED_QUOTA, ...needs.parameters },
      onConsole: (said) => hearConsole?.(said),
    });
  }
  await shared.reset();
  return shared;
}

/** What came of a command, with both streams as text. */
export interface Outcome extends Omit<ExecResult, "stdout" | "stderr" | "command"> {
  out: string;
  err: string;
}

export async function run(
  machine: Machine,
  command: string,
  options: ExecOptions = {},
): Promise<Outcome> {
  const result = await machine.exec(command, { timeoutMs: GENEROUS_MS, ...options });
  const { stdout, stderr, command: _, ...rest } = result;
  return { ...rest, out: text(stdout), err: text(stderr) };
}

/** Standard output of a command that must succeed. */
export async function output(
  machine: Machine,
  command: string,
  options: ExecOptions = {},
): Promise<string> {
  const outcome = await run(machine, command, options);
  if (outcome.failed) throw new Error(`${command}\n${JSON.stringify(outcome)}`);
  return outcome.out;
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

export function bytes(content: string): Uint8Array {
  return Buffer.from(content, "utf8");
}
