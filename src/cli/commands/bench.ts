import { Argument, type Command } from "commander";
import { type BenchName, extraNames, netNames, tableNames } from "../../../test/bench/names.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";
import { wholeNumber } from "../options.ts";

interface BenchOptions {
  json?: true;
  compare?: string;
  out?: string;
  runs: number;
}

const allNames: readonly BenchName[] = [...tableNames, ...extraNames, ...netNames];

export function registerBench(program: Command, context: CliContext): void {
  const command = program
    .command("bench")
    .description("Measure Mom against v86 as it comes, in the same run")
    .addArgument(
      new Argument(
        "[names...]",
        `of ${tableNames.join(", ")}; only when named: ${extraNames.join(", ")}, and of net ${netNames.join(", ")}`,
      ),
    )
    .option("--json", "print a JSON array instead of the table")
    .option("--compare <file>", "show the change from an earlier run, whose JSON this is")
    .option("--runs <n>", "runs of each side", wholeNumber(1, 100), 5)
    .option("--out <file>", "write the JSON here instead of into the data folder")
    .addHelpText(
      "after",
      "\nAll of it takes about a quarter of an hour. docs/performance.md tells what each figure means.",
    )
    .action(async (words: string[], options: BenchOptions, command: Command) => {
      const names = words.map(
        (word) =>
          allNames.find((name) => name === word) ??
          command.error(`error: unknown bench '${word}': one of ${allNames.join(", ")}`),
      );
      const { runBench } = await import("../../../test/bench/index.ts");
      await runBench({
        ...context,
        ...options,
        json: options.json ?? false,
        names: names.length > 0 ? [...new Set(names)] : tableNames,
      });
    });
  withExamples(
    command,
    "bench",
    "bench echo resume --runs 20",
    "bench --json --out today.json --compare yesterday.json",
  );
}
