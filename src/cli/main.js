import { useStrippedSources } from "../start/stripped-sources.js";

useStrippedSources();
const { runCli } = await import("./program.ts");
process.exitCode = await runCli(process);
