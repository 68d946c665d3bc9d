import type { Command } from "commander";
import { type CliContext, untilAborted } from "../context.ts";
import { withExamples } from "../help.ts";
import { wholeNumber } from "../options.ts";

export function registerWorker(program: Command, context: CliContext): void {
  const command = program
    .command("worker")
    .description("Run a worker: it takes turns from the queue, runs them, and answers in Slack")
    .option(
      "--drain <seconds>",
      "how long a running turn may go on when the worker is to end",
      wholeNumber(0, 3_600),
      30,
    )
    .action((options: { drain: number }) => runWorker(context, options.drain));
  withExamples(command, "worker", "worker --drain 300");
}

async function runWorker(context: CliContext, drainSeconds: number): Promise<void> {
  const { workerConfig } = await import("../../config/index.ts");
  const config = workerConfig(context.env);
  const { findGuest, startParameters } = await import("../guest.ts");
  const guest = await findGuest(config.machine);
  const { createLogger } = await import("../logger.ts");
  const { Machine } = await import("../../../workers/machine/machine.ts");
  const { startWorker } = await import("../../../workers/worker.ts");
  const logger = createLogger(config.logLevel, context.env);
  const parameters = startParameters(config.machine, guest);
  const worker = await startWorker({
    config,
    logger,
    startMachine: () =>
      Machine.start(parameters, undefined, {
        onRefused: (refusals) => logger.info({ refusals }, "closed to the guest by the policy"),
      }),
  });
  context.tellParent({ event: "ready" });
  await untilAborted(context.signal);
  await worker.close({ deadlineMs: drainSeconds * 1_000 });
}
