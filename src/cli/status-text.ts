import type { QueueStatus, WorkerStatus } from "../queue/index.ts";
import { seconds } from "./quantities.ts";

/** The queue's status for people. */
export function statusText(status: QueueStatus, nowMs: number): string {
  const { workers, busyThreads, longestWaitMs } = status;
  const waiting = longestWaitMs === null ? "" : `, the first of them for ${seconds(longestWaitMs)}`;
  const threads =
    busyThreads === 0
      ? "No thread has a turn that runs or waits."
      : `${plural(busyThreads, "thread")} with a turn that runs or waits${waiting}.`;
  if (workers.length === 0) return `No worker is running.\n${threads}`;
  return [...workers.map((worker) => workerLine(worker, nowMs)), threads].join("\n");
}

function workerLine(worker: WorkerStatus, nowMs: number): string {
  const { id, host, pid, turnsDone, running } = worker;
  const doing = running.map(
    ({ threadKey, startedAtMs }) => `${threadKey} for ${seconds(nowMs - startedAtMs)}`,
  );
  const state = doing.length === 0 ? "idle" : `running ${doing.join(", ")}`;
  return `${id} (process ${pid} on ${host}): ${state}, ${plural(turnsDone, "turn")} done`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
