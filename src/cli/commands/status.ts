import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

/** The threads used last: each costs a look at its states. */
const SHOWN_THREADS = 20;

export function registerStatus(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .description("Show the workers, what they run, the threads that wait, and what threads keep")
    .option("--json", "print a JSON object")
    .action((options: { json?: true }) => showStatus(context, options));
  withExamples(command, "status", "status --json");
}

async function showStatus(context: CliContext, options: { json?: true }): Promise<void> {
  const { withQueue } = await import("../queue.ts");
  const { statusText } = await import("../status-text.ts");
  const { snapshotsOf } = await import("../../queue/index.ts");
  const { refOf } = await import("../threads.ts");
  const { storeConfig } = await import("../../config/index.ts");
  const { dataDir } = await import("../../config/environment.ts");
  const { openStore } = await import("../../../workers/open-store.ts");
  const { storeSize } = await import("../../../workers/snapshots/size.ts");
  const { objects } = openStore(storeConfig(context.env), dataDir(context.env));
  const { threads, ...queue } = await withQueue(context, async (open) => {
    const known = await open.threads();
    const shown = await Promise.all(
      known.slice(0, SHOWN_THREADS).map(async ({ threadKey }) => {
        const lineage = await open.lineage(refOf(threadKey));
        return { threadKey, snapshots: [...new Set(snapshotsOf(lineage))] };
      }),
    );
    return { ...(await open.status()), threads: { count: known.length, shown } };
  });
  const { threads: threadSizes, ...store } = await storeSize(objects, threads.shown);
  const status = { ...queue, threads: threads.count, threadSizes, store };
  const text = options.json ? JSON.stringify(status, null, 2) : statusText(status, Date.now());
  context.stdout.write(`${text}\n`);
}
