import {
  ANSI_ESCAPE_CODES,
  Listr,
  ListrLogger,
  type ListrTask,
  PRESET_TIMER,
  ProcessOutput,
} from "listr2";

/** One long thing to do, shown with its progress and how long it took. */
export interface Step {
  title: string;
  /** `report` shows how far it is. What is returned stands beside the title at the end. */
  run(report: (detail: string) => void): Promise<string | undefined>;
}

/** How often a log gets a line of progress. On a terminal each report is shown. */
const logIntervalMs = 10_000;

/**
 * Runs steps one after the other; the first that fails ends it with its error.
 * On a terminal one live line a step, in a log plain lines. Writes to standard error, since standard output
 * belongs to the result of a command.
 */
export async function runSteps(
  steps: readonly Step[],
  output: { stderr: NodeJS.WriteStream; nowMs?: () => number },
): Promise<void> {
  // A terminal that does not know its width cannot be drawn on.
  const live = output.stderr.isTTY === true && output.stderr.columns >= 20;
  const nowMs = output.nowMs ?? performance.now.bind(performance);
  const failures: unknown[] = [];
  const tasks = steps.map(
    (step): ListrTask => ({
      title: step.title,
      task: async (_context, task) => {
        const show = (detail: string) => {
          task.output = detail;
        };
        try {
          const note = await step.run(live ? show : atMostEvery(logIntervalMs, nowMs, show));
          if (note) task.title = `${step.title}: ${note}`;
        } catch (error) {
          failures.push(error);
          // The error itself is for the caller to show, once.
          throw new Error("see below");
        }
      },
    }),
  );
  await renderTasks(tasks, live, output.stderr).catch((error: unknown) => {
    throw failures[0] ?? error;
  });
}

async function renderTasks(tasks: ListrTask[], live: boolean, stderr: NodeJS.WriteStream) {
  const processOutput = new ProcessOutput(stderr, stderr);
  const logger = new ListrLogger({ useIcons: true, processOutput });
  const registerSignalListeners = false;
  const timer = PRESET_TIMER;
  if (!live) {
    const rendererOptions = { timer, logger };
    const options = { registerSignalListeners, renderer: "simple" as const, rendererOptions };
    await new Listr(tasks, options).run();
    return;
  }
  const showCursor = () => stderr.write(ANSI_ESCAPE_CODES.CURSOR_SHOW);
  process.once("exit", showCursor);
  try {
    const rendererOptions = { timer, logger, showErrorMessage: false };
    await new Listr(tasks, { registerSignalListeners, rendererOptions }).run();
  } finally {
    process.off("exit", showCursor);
  }
}

function atMostEvery(intervalMs: number, nowMs: () => number, show: (detail: string) => void) {
  let lastMs = nowMs();
  return (detail: string) => {
    if (nowMs() - lastMs < intervalMs) return;
    lastMs = nowMs();
    show(detail);
  };
}
