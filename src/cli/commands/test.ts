import { Argument, type Command } from "commander";
import { behindDashes, type CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

const partNames = ["lint", "types", "rules", "unit", "integration", "e2e"] as const;
export type PartName = (typeof partNames)[number];

export function registerTest(program: Command, context: CliContext): void {
  const command = program
    .command("test")
    .description("Check everything, or the named parts only")
    .addArgument(
      new Argument("[parts...]", `of ${partNames.join(", ")}; arguments behind -- go to vitest`),
    )
    .option("--no-install", "only name the system packages that are missing")
    .action(async (words: string[], options: { install: boolean }, command: Command) => {
      const vitestArgs = behindDashes(context.argv);
      const parts = words.slice(0, words.length - vitestArgs.length).map((word) => {
        const part = partNames.find((name) => name === word);
        return (
          part ?? command.error(`error: unknown part '${word}': one of ${partNames.join(", ")}`)
        );
      });
      const { runTests } = await import("../../../test/run/index.ts");
      context.exitWith(
        await runTests({
          ...context,
          parts: parts.length > 0 ? parts : partNames,
          vitestArgs,
          install: options.install,
        }),
      );
    });
  withExamples(command, "test", "test unit integration -- -t mailbox");
}
