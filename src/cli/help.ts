import type { Command } from "commander";

/** Puts examples under a command's help. Each command has at least one. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const title = examples.length === 1 ? "Example:" : "Examples:";
  const lines = examples.map((example) => `  $ ./mom ${example}`);
  return command.addHelpText("after", ["", title, ...lines].join("\n"));
}
