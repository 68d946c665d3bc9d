import { pino } from "pino";
import { z } from "zod";
import { startWorker } from "../../workers/worker.ts";
import { HostMachine } from "../support/host-machine.ts";
import { quickTiming } from "./timing.ts";

/** A worker in a process of its own, to be killed: its configuration comes as JSON in the first argument. */
const config = z
  .looseObject({ workerId: z.string() })
  .parse(JSON.parse(process.argv[2] ?? "")) as never;

await startWorker({
  config,
  logger: pino({ level: "warn" }, process.stderr),
  startMachine: () => HostMachine.start(),
  timing: quickTiming,
});
process.stdout.write("ready\n");
