import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

export function registerDoctor(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description(
      "Say what is there, what is missing, and the command that brings it; changes nothing",
    )
    .option("--json", "print a JSON array")
    .action((options: { json?: true }) => examine(context, options));
  withExamples(command, "doctor", "doctor --json");
}

async function examine(context: CliContext, options: { json?: true }): Promise<void> {
  const { findings } = await import("../setup/findings.ts");
  const found = await findings(context.env);
  if (options.json) {
    context.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  } else {
    for (const { ok, what, detail } of found) {
      context.stdout.write(`${ok ? "✔" : "✖"} ${what}: ${detail}\n`);
    }
  }
  if (found.some(({ ok }) => !ok)) context.exitWith(1);
}
