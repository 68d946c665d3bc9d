import { pino } from "pino";
import { startWorker } from "../../workers/worker.ts";
import { HostMachine } from "../support/host-machine.ts";
import { quickTiming } from "./timing.ts";

/** A worker in a process of its own, to be killed: its configuration and timing come as JSON arguments. */
const [config, timing] = process.argv.slice(2, 4).map((json) => JSON.parse(json));

await startWorker({
  config,
  logger: pino({ level: "warn" }, process.stderr),
  startMachine: () => HostMachine.start(),
  timing: { ...quickTiming, ...timing },
});
process.stdout.write("ready\n");
