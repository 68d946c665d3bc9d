import type { Command } from "commander";
import { dataDir } from "../../config/environment.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";
import { portNumber, wholeNumber } from "../options.ts";

interface DemoCommandOptions {
  port?: number;
  workers: number;
  install: boolean;
  open: boolean;
}

export function registerDemo(program: Command, context: CliContext): void {
  const command = program
    .command("demo")
    .description("Start everything on this machine, with a local Slack to chat in; Ctrl-C ends it")
    .option("--port <number>", "port of the page (default: 7070, or any that is free)", portNumber)
    .option("--workers <number>", "how many workers", wholeNumber(1, 64), 1)
    .option("--no-install", "only name the system packages that are missing")
    .option("--no-open", "open no browser")
    .action((options: DemoCommandOptions) => demo(context, options));
  withExamples(command, "demo", "demo --port 8080 --workers 2");
}

async function demo(context: CliContext, options: DemoCommandOptions): Promise<void> {
  const { runDemo } = await import("../demo/run.ts");
  await runDemo({ ...context, ...options, dataDir: dataDir(context.env) });
}
