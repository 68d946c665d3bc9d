import type { Command } from "commander";
import { type CliContext, untilAborted } from "../context.ts";
import { withExamples } from "../help.ts";

export function registerApp(program: Command, context: CliContext): void {
  const command = program
    .command("app")
    .description("Run the Slack app: it takes messages from Slack and puts turns into the queue")
    .action(() => runApp(context));
  withExamples(command, "app", "app >>app.log");
}

async function runApp(context: CliContext): Promise<void> {
  const { appConfig } = await import("../../config/index.ts");
  const config = appConfig(context.env);
  const { createLogger } = await import("../logger.ts");
  const { TurnQueue } = await import("../../queue/index.ts");
  const { createApp } = await import("../../slack/index.ts");
  const log = createLogger(config.logLevel, context.env);
  const fatal = Promise.withResolvers<never>();
  // It may come while the app starts, when nobody waits for it yet.
  fatal.promise.catch(() => undefined);
  const queue = new TurnQueue({ ...config.queue, log });
  try {
    const app = createApp({ config, queue, log, onFatal: fatal.reject });
    try {
      await Promise.race([app.start(), fatal.promise, untilAborted(context.signal)]);
      if (!context.signal.aborted) context.tellParent({ event: "ready" });
      await Promise.race([untilAborted(context.signal), fatal.promise]);
    } finally {
      await app.stop();
    }
  } finally {
    await queue.close();
  }
}
