import { pino } from "pino";
import { useStrippedSources } from "../../src/start/stripped-sources.js";

// A worker in a process of its own, to be killed: its configuration and timing come as JSON arguments. It starts as
// `mom worker` does: a fifth less processor time than with a first file that has types.

useStrippedSources();
const { startWorker } = await import("../../workers/worker.ts");
const { HostMachine } = await import("../support/host-machine.ts");
const { quickTiming } = await import("./timing.ts");

const [config, timing] = process.argv.slice(2, 4).map((json) => JSON.parse(json));
await startWorker({
  config,
  logger: pino({ level: "warn" }, process.stderr),
  startMachine: () => HostMachine.start(),
  timing: { ...quickTiming, ...timing },
});
process.stdout.write("ready\n");
