import { useStrippedSources } from "../start/stripped-sources.ts";

useStrippedSources();
const { runCli } = await import("./program.ts");
process.exitCode = await runCli(process);
