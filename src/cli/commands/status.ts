import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

export function registerStatus(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .description("Show the workers, what they run, and the threads that wait")
    .option("--json", "print a JSON object")
    .action((options: { json?: true }) => showStatus(context, options));
  withExamples(command, "status", "status --json");
}

async function showStatus(context: CliContext, options: { json?: true }): Promise<void> {
  const { withQueue } = await import("../queue.ts");
  const { statusText } = await import("../status-text.ts");
  const status = await withQueue(context, (queue) => queue.status());
  const text = options.json ? JSON.stringify(status, null, 2) : statusText(status, Date.now());
  context.stdout.write(`${text}\n`);
}
