import type { MachineApi } from "./machine/api.ts";

/**
 * What people mostly run. The emulator compiles guest code that it has met often; a switch keeps what it compiled for
 * all pages that stay, and the programs' pages stay, since the base has them.
 */
export const WARM_UP_COMMANDS: readonly string[] = [
  "for i in 1 2 3 4 5 6 7 8; do echo $i | cat | wc -c; ls -la / | grep usr | sort | head -n 1; done",
  "python3 -c 'import json; print(json.dumps([1]))'",
  // The second takes half of the first's time, the twelfth a sixth.
  ...Array<string>(12).fill("python3 -c 'print(1)'"),
  ...Array<string>(3).fill("node -e 1"),
  "git init -q /tmp/warm-up; curl --version; echo hi",
];
/** Short commands reach the code that every turn passes through: the shell, the turn files, the kernel's entries. */
const SHORT_COMMANDS = 40;
/** V8 compiles our own code, too, when it has run often: the twentieth switch takes half as long as the first. */
const SWITCHES = 20;
const COMMAND_TIMEOUT_MS = 60_000;

/**
 * Run typical commands in a machine that has nothing else to do, and switch it, until the signal ends it. What it leaves in the
 * sandbox is nobody's: the machine must be switched before a turn. Throws `MachineError`.
 */
export async function warmUp(
  machine: Pick<MachineApi, "exec" | "save" | "load" | "reset">,
  signal: AbortSignal,
) {
  // What new threads begin with is made for the first one.
  await machine.reset();
  const short = Array<string>(SHORT_COMMANDS).fill("echo hi");
  for (const command of [...short, ...WARM_UP_COMMANDS, ...short]) {
    if (signal.aborted) return;
    await machine.exec(command, { signal, timeoutMs: COMMAND_TIMEOUT_MS });
  }
  if (signal.aborted) return;
  // Nothing refers to the few blobs of this state: the collector takes them.
  const state = await machine.save();
  for (let switched = 0; switched < SWITCHES && !signal.aborted; switched++) {
    await machine.load(state);
    await machine.exec(":", { signal, timeoutMs: COMMAND_TIMEOUT_MS });
  }
}
