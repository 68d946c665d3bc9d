import { readdirSync, readFileSync } from "node:fs";
import { BenchError } from "./errors.ts";

/** Processor time that a process has used so far, of all its threads (Linux, proc_pid_schedstat: nanoseconds). */
export function cpuMs(pid: number | undefined): number {
  return asked(() => {
    const threads = readdirSync(`/proc/${pid}/task`);
    const times = threads.map((thread) => {
      const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(
        " ",
      );
      return Number(nanoseconds) / 1e6;
    });
    return times.reduce((sum, ms) => sum + ms, 0);
  });
}

/** `VmRSS` of a process (Linux, proc_pid_status(5)). */
export function residentBytes(pid: number | undefined): number {
  return asked(() => {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib) * 1024;
  });
}

function asked(ask: () => number): number {
  try {
    const value = ask();
    if (Number.isFinite(value)) return value;
  } catch (cause) {
    throw new BenchError(
      "NOT_MEASURABLE",
      "idle-cpu, waiting-cpu and rss read Linux's /proc, which does not tell here: name the other benches.",
      { cause },
    );
  }
  throw new BenchError("NOT_MEASURABLE", "/proc has no figure for the machine's process.");
}
