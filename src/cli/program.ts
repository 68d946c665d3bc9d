import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { readEnvironment } from "../config/environment.ts";
import { registerApp } from "./commands/app.ts";
import { registerBench } from "./commands/bench.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerImage } from "./commands/image.ts";
import { registerNet } from "./commands/net.ts";
import { registerProxy } from "./commands/proxy.ts";
import { registerRelay } from "./commands/relay.ts";
import { registerRun } from "./commands/run.ts";
import { registerSetup } from "./commands/setup.ts";
import { registerShell } from "./commands/shell.ts";
import { registerSlack } from "./commands/slack.ts";
import { registerStatus } from "./commands/status.ts";
import { registerTest } from "./commands/test.ts";
import { registerThread } from "./commands/thread.ts";
import { registerWorker } from "./commands/worker.ts";
import type { CliContext } from "./context.ts";
import { explain } from "./errors.ts";
import { withExamples } from "./help.ts";
import { abortOnSignals } from "./signals.ts";

/** Each adds one command. A command loads what it needs when it runs, so that `--help` stays quick. */
const registrations = [
  registerDemo,
  registerTest,
  registerBench,
  // One sandbox, without Slack.
  registerRun,
  registerShell,
  // The parts of an installation.
  registerApp,
  registerWorker,
  registerProxy,
  registerStatus,
  registerThread,
  // The network.
  registerRelay,
  registerNet,
  // What they need.
  registerSetup,
  registerDoctor,
  registerImage,
  registerSlack,
];

/** Runs the command line of a process and says the exit status. */
export async function runCli(process: NodeJS.Process): Promise<number> {
  let exitStatus = 0;
  const argv = process.argv.slice(2);
  try {
    const root = resolve(import.meta.dirname, "../..");
    const program = createProgram({
      root,
      argv,
      env: readEnvironment(process.env, process.env.MOM_ENV_FILE ?? join(root, ".env")),
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      signal: abortOnSignals(process),
      exitWith: (status) => {
        exitStatus = status;
      },
      tellParent: (message) => process.send?.(message),
    });
    await program.parseAsync(argv, { from: "user" });
    return exitStatus;
  } catch (error) {
    // Commander has said already what is wrong; a wrong command line is 2, as with most programs.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const verbose = argv.includes("--verbose") || process.env.MOM_LOG_LEVEL === "debug";
    const explanation = explain(error, { verbose });
    process.stderr.write(`${explanation.text}\n`);
    return explanation.exitStatus;
  }
}

export function createProgram(context: CliContext): Command {
  const program = new Command("mom")
    .description("A Slack bot that gives every thread its own computer.")
    .version(versionOf(context.root))
    .option("--verbose", "show the stack of errors")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .showHelpAfterError("(--help tells more)");
  withExamples(program, "demo", "run -- 'echo hello'");
  for (const register of registrations) register(program, context);
  return program;
}

function versionOf(root: string): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  return manifest.version;
}
