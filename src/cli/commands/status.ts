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
  const { storeConfig } = await import("../../config/index.ts");
  const { dataDir } = await import("../../config/environment.ts");
  const { openStore } = await import("../../../workers/open-store.ts");
  const { storeSize } = await import("../../../workers/snapshots/size.ts");
  const { objects } = openStore(storeConfig(context.env), dataDir(context.env));
  const store = await storeSize(objects);
  const status = await withQueue(context, async (queue) => ({
    ...(await queue.status()),
    threads: (await queue.threads()).length,
  }));
  const text = options.json
    ? JSON.stringify({ ...status, store }, null, 2)
    : statusText({ ...status, store }, Date.now());
  context.stdout.write(`${text}\n`);
}
