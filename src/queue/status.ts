import type { Redis } from "ioredis";
import type { CarrierAddress } from "./carriage.ts";
import { keys } from "./keys.ts";

/** A worker's sign of life. */
export interface WorkerStatus {
  id: string;
  host: string;
  pid: number;
  startedAtMs: number;
  seenAtMs: number;
  /** Turns it has finished since its start. */
  turnsDone: number;
  running: { turnId: string; threadKey: string; startedAtMs: number }[];
}

/** A worker that has not been seen for so long is gone. */
const WORKER_EXPIRY_MS = 15_000;

export async function writeHeartbeat(
  redis: Redis,
  prefix: string,
  status: WorkerStatus,
  carrierAddress?: CarrierAddress,
) {
  const { worker, workers, carrier } = keys(prefix);
  const step = redis.multi();
  if (carrierAddress) {
    step.set(carrier(status.id), JSON.stringify(carrierAddress), "PX", WORKER_EXPIRY_MS);
  }
  await step
    .set(worker(status.id), JSON.stringify(status), "PX", WORKER_EXPIRY_MS)
    .zadd(workers, status.seenAtMs, status.id)
    .zremrangebyscore(workers, "-inf", status.seenAtMs - WORKER_EXPIRY_MS)
    .exec();
}

export async function removeHeartbeat(redis: Redis, prefix: string, workerId: string) {
  const { worker, workers, carrier } = keys(prefix);
  await redis.multi().del(worker(workerId), carrier(workerId)).zrem(workers, workerId).exec();
}

/** Workers that are alive, by id. */
export async function listWorkers(
  redis: Redis,
  prefix: string,
  nowMs: number,
): Promise<WorkerStatus[]> {
  const { worker, workers } = keys(prefix);
  const ids = await redis.zrangebyscore(workers, nowMs - WORKER_EXPIRY_MS, "+inf");
  if (ids.length === 0) return [];
  const found = await redis.mget(ids.map(worker));
  return found
    .flatMap((json): WorkerStatus[] => (json === null ? [] : [JSON.parse(json)]))
    .sort((a, b) => a.id.localeCompare(b.id));
}
