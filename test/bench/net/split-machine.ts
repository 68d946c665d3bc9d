import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { machineParameters } from "../../../images/base.ts";
import { machineExecArgv } from "../../../workers/machine/v8-flags.ts";
import { BenchError } from "../errors.ts";
import type { Lab } from "../lab.ts";
import { buildClient } from "./client.ts";
import { startBenchServer } from "./server.ts";
import { OUR_BYTES, ourWay, type Side } from "./sides.ts";
import type { SplitAnswer, SplitCall } from "./split-process.ts";

/** Our machine in a process of the bench's own, which tells what of its processor time is not v86's. */
export async function startSplitMachine(
  lab: Lab,
): Promise<{ side: Side; outsideMs(): Promise<number> }> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  const child = fork(fileURLToPath(new URL("./split-process.ts", import.meta.url)), [], {
    env: {},
    execArgv: machineExecArgv(process.versions.node),
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  lab.onClose(async () => {
    child.kill("SIGKILL");
  });
  const waiting = new Map<string, PromiseWithResolvers<SplitAnswer>>();
  child.on("message", (answer: SplitAnswer) => waiting.get(answer.id)?.resolve(answer));
  child.once("exit", (code, signal) => {
    const failure = new BenchError(
      "COMMAND_FAILED",
      `the machine that tells its time apart ended (${signal ?? `status ${code}`})`,
    );
    for (const { reject } of waiting.values()) reject(failure);
  });
  const call = async (what: SplitCall["what"]): Promise<SplitAnswer> => {
    const id = randomUUID();
    const answer = Promise.withResolvers<SplitAnswer>();
    waiting.set(id, answer);
    child.send({ id, what } satisfies SplitCall);
    const said = await answer.promise.finally(() => waiting.delete(id));
    if (said.error === undefined) return said;
    throw new BenchError("COMMAND_FAILED", `the machine that tells its time apart: ${said.error}`);
  };

  const { image, base } = lab.guest;
  const network = { backend: "relay", rules: "", hostPorts: [server.port], limits: {} } as const;
  const parameters = machineParameters(image, base, { dataDir: lab.folder, network });
  const client = await buildClient(await lab.makeFolder("client"));
  await call({ start: { ...parameters, memoryBytes: lab.memoryBytes }, client });
  return {
    side: {
      bytes: OUR_BYTES,
      pid: child.pid,
      ...ourWay(server.port),
      run: async (command) => (await call({ run: command })).out,
    },
    outsideMs: async () => (await call({ run: ":" })).outsideMs,
  };
}
