import type { Command } from "commander";
import type { PublishedPort } from "../../../workers/machine/messages.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { withExamples } from "../help.ts";
import { parsePublished } from "../net/addresses.ts";
import { collected } from "../options.ts";

interface ShellOptions {
  publish: PublishedPort[];
}

export function registerShell(program: Command, context: CliContext): void {
  const command = program
    .command("shell")
    .description("An interactive terminal in a fresh sandbox; Ctrl-] leaves")
    .option(
      "--publish <ports>",
      "make a port of the sandbox a port of this computer: 8080:80 (may be repeated)",
      collected(parsePublished),
      [],
    )
    .action((options: ShellOptions) => shell(context, options));
  withExamples(command, "shell", "shell --publish 8080:80");
}

async function shell(context: CliContext, options: ShellOptions): Promise<void> {
  const { stdin, stdout, stderr } = context;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new CliError(
      "USAGE",
      "A shell needs a terminal. To run one command, use: ./mom run -- COMMAND",
    );
  }
  const { startSandbox } = await import("../machine/sandbox.ts");
  const { publish } = await import("../net/publish.ts");
  const { attachTerminal } = await import("../machine/terminal.ts");
  const machine = await startSandbox(context);
  try {
    await publish(machine, options.publish, stderr);
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
