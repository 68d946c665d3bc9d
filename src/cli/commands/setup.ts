import type { Command } from "commander";
import { dataDir } from "../../config/environment.ts";
import type { CliContext } from "../context.ts";
import { withExamples } from "../help.ts";

export function registerSetup(program: Command, context: CliContext): void {
  const command = program
    .command("setup")
    .description(
      "Install what is missing and build the guest, so that everything else starts at once",
    )
    .option("--no-install", "only name the system packages that are missing")
    .action((options: { install: boolean }) => setUp(context, options.install));
  withExamples(command, "setup", "setup --no-install");
}

async function setUp(context: CliContext, install: boolean): Promise<void> {
  const { prepareGuest } = await import("../setup/guest.ts");
  const { image } = await prepareGuest({ ...context, install, purposes: ["service"] });
  context.stdout.write(`Mom is set up: image ${image.id} in ${dataDir(context.env)}\n`);
}
