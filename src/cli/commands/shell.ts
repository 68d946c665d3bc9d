import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { withExamples } from "../help.ts";

export function registerShell(program: Command, context: CliContext): void {
  const command = program
    .command("shell")
    .description("An interactive terminal in a fresh sandbox; Ctrl-] leaves")
    .action(() => shell(context));
  withExamples(command, "shell");
}

async function shell(context: CliContext): Promise<void> {
  const { stdin, stdout } = context;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new CliError(
      "USAGE",
      "A shell needs a terminal. To run one command, use: ./mom run -- COMMAND",
    );
  }
  const { startSandbox } = await import("../machine/sandbox.ts");
  const { attachTerminal } = await import("../machine/terminal.ts");
  const machine = await startSandbox(context);
  try {
    stdout.write("Ctrl-] leaves; nothing in this sandbox is kept.\r\n");
    const status = await attachTerminal(machine, {
      stdin,
      stdout,
      term: context.env.TERM ?? "xterm",
      signal: context.signal,
    });
    context.exitWith(status);
  } finally {
    await machine.stop();
    stdin.destroy();
  }
}
