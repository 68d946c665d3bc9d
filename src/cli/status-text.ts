import type { StoreSize, ThreadSize } from "../../workers/snapshots/size.ts";
import type { QueueStatus, WorkerStatus } from "../queue/index.ts";
import { byteSize, seconds } from "./quantities.ts";

export interface Status extends QueueStatus {
  /** Threads that have a computer. */
  threads: number;
  /** Of those used last. */
  threadSizes: readonly ThreadSize[];
  store: StoreSize;
}

/** The status of queue, threads and store for people. */
export function statusText(status: Status, nowMs: number): string {
  const { workers, busyThreads, longestWaitMs, store } = status;
  const waiting = longestWaitMs === null ? "" : `, the first of them for ${seconds(longestWaitMs)}`;
  const queue =
    busyThreads === 0
      ? "No thread has a turn that runs or waits."
      : `${plural(busyThreads, "thread")} with a turn that runs or waits${waiting}.`;
  const kept = `${plural(status.threads, "thread")} with a computer: ${plural(store.snapshots, "state")}, ${byteSize(store.bytes)}.`;
  const lines = workers.map((worker) => workerLine(worker, nowMs));
  if (lines.length === 0) lines.push("No worker is running.");
  return [...lines, queue, kept, ...threadLines(status)].join("\n");
}

function threadLines({ threads, threadSizes }: Status): string[] {
  const lines = threadSizes.map(
    ({ threadKey, states, bytes }) =>
      `  ${threadKey}: ${plural(states, "state")}, ${byteSize(bytes)}`,
  );
  const more = threads - threadSizes.length;
  return more > 0
    ? [...lines, `  and ${more} that were used longer ago: ./mom thread list`]
    : lines;
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
