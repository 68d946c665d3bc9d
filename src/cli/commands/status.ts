import type { Command } from "commander";
import { dataDir } from "../../config/environment.ts";
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
  const { queueConfig } = await import("../../config/index.ts");
  const { runningDemo } = await import("../demo/address.ts");
  const { TurnQueue } = await import("../../queue/index.ts");
  const { createLogger } = await import("../logger.ts");
  const demo = context.env.REDIS_URL ? undefined : runningDemo(dataDir(context.env));
  const env = demo ? { ...context.env, REDIS_URL: demo.redisUrl } : context.env;
  const queue = new TurnQueue({ ...queueConfig(env), log: createLogger("silent", env) });
  try {
    await queue.ready();
    const status = await queue.status();
    const { statusText } = await import("../status-text.ts");
    const text = options.json ? JSON.stringify(status, null, 2) : statusText(status, Date.now());
    context.stdout.write(`${text}\n`);
  } finally {
    await queue.close();
  }
}
