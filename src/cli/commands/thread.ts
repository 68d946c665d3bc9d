import type { Command } from "commander";
import type { ThreadStep } from "../../queue/index.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

interface Options {
  json?: true;
}

const EXAMPLE = "T024BE7LD-C012AB3CD-1700000000.000100";
const STEPS: [step: Exclude<ThreadStep, "history">, description: string][] = [
  ["undo", "Take the last command of a thread back"],
  ["redo", "Do again what was undone"],
  ["reset", "Give a thread a new computer; undo brings the old one back"],
  ["fork", "Begin a new thread in the same channel, whose computer goes on from this one's"],
];

export function registerThread(program: Command, context: CliContext): void {
  const thread = program
    .command("thread")
    .description("Look at the computers of threads, and go back and forth in their history");
  const list = thread
    .command("list")
    .description("Show the threads that have a computer, those used last first")
    .option("--json", "print a JSON array")
    .action(async (options: Options) => {
      const { listThreads } = await import("../threads.ts");
      await listThreads(context, options);
    });
  withExamples(list, "thread list", "thread list --json");
  const history = thread
    .command("history")
    .description("Show the turns of a thread that can be undone and done again")
    .argument("<thread>", "thread, as “thread list” shows it")
    .option("--json", "print a JSON object")
    .action(async (key: string, options: Options) => {
      const { showHistory } = await import("../threads.ts");
      await showHistory(context, key, options);
    });
  withExamples(history, `thread history ${EXAMPLE}`);
  for (const [step, description] of STEPS) {
    const command = thread
      .command(step)
      .description(`${description}, in its turn behind the commands that wait`)
      .argument("<thread>", "thread, as “thread list” shows it")
      .option("--json", "print the journal's entry as a JSON object")
      .action(async (key: string, options: Options) => {
        const { takeThreadStep } = await import("../threads.ts");
        await takeThreadStep(context, key, step, options);
      });
    withExamples(command, `thread ${step} ${EXAMPLE}`);
  }
  const remove = thread
    .command("rm")
    .description("Forget a thread: its computer, its history and its journal")
    .argument("<thread>", "thread, as “thread list” shows it")
    .option("--json", "print a JSON object")
    .action(async (key: string, options: Options) => {
      const { removeThread } = await import("../threads.ts");
      await removeThread(context, key, options);
    });
  withExamples(remove, `thread rm ${EXAMPLE}`);
  withExamples(thread, "thread list", `thread undo ${EXAMPLE}`);
}
