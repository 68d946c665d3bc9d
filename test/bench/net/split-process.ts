import { V86 } from "v86";
import { MachineHost } from "../../../workers/machine/host.ts";
import type { Calls, MachineEvent, StartParameters } from "../../../workers/machine/messages.ts";

// Our machine, as in workers/machine/main.js, with a clock at the door of v86's main loop.

export interface SplitCall {
  id: string;
  what: { start: StartParameters; client: Uint8Array } | { run: string };
}

export interface SplitAnswer {
  id: string;
  /** What the command printed. */
  out: string;
  /** Processor time of the process so far but for v86's main loop. */
  outsideMs: number;
  error?: string;
}

interface MainLoop {
  v86: { cpu: { main_loop(): number } };
}

let insideUs = 0;
let host: MachineHost | undefined;
let calls = 0;
let out = "";

/** The main loop runs guest code, translates it, and calls devices in the middle of it. */
function watchMainLoop({ v86: { cpu } }: MainLoop): void {
  const mainLoop = cpu.main_loop;
  cpu.main_loop = () => {
    const startUs = processorUs();
    try {
      return mainLoop.call(cpu);
    } finally {
      insideUs += processorUs() - startUs;
    }
  };
}

function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The first run of the emulator is the first time that it can be had. */
const run = V86.prototype.run;
V86.prototype.run = function (this: V86) {
  V86.prototype.run = run;
  watchMainLoop(this as unknown as MainLoop);
  return run.call(this);
};

function tell(event: MachineEvent): void {
  if (event.event === "output") out += Buffer.from(event.chunk).toString();
}

async function exec(script: string): Promise<void> {
  out = "";
  const report = (await host?.answer({
    id: ++calls,
    call: "exec",
    in: { script, hasInput: false, files: {}, timeoutMs: null, maxOutputBytes: 1 << 20 },
  })) as Calls["exec"]["out"];
  if (report.lastOutput !== null) out += Buffer.from(report.lastOutput.chunk).toString();
  if (report.failed) throw new Error(`${script}: ${out}`);
}

async function answer(what: SplitCall["what"]): Promise<void> {
  if ("run" in what) return exec(what.run);
  host = await MachineHost.start(what.start, tell as never);
  await host.answer({
    id: ++calls,
    call: "writeFile",
    in: { path: "/root/client", data: what.client },
  });
  await exec("chmod +x client");
}

process.on("message", ({ id, what }: SplitCall) => {
  const send = (error?: string) => {
    const outsideMs = (processorUs() - insideUs) / 1_000;
    process.send?.({ id, out, outsideMs, ...(error === undefined ? {} : { error }) });
  };
  answer(what).then(
    () => send(),
    (error: unknown) => send(error instanceof Error ? error.message : String(error)),
  );
});
process.on("disconnect", () => process.exit(0));
