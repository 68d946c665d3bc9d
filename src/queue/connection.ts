import { Redis, type RedisOptions } from "ioredis";
import { QueueError } from "./errors.ts";
import type { Log } from "./log.ts";

/**
 * - `producer` (the app): a command fails at once when Redis is away, so that Slack gets no acknowledgement
 *   and delivers again. It never waits, and is never sent twice behind the caller's back.
 * - `worker`: a command waits for Redis to come back, as BullMQ needs it (`maxRetriesPerRequest: null`).
 */
export type ConnectionRole = "producer" | "worker";

const PRODUCER_COMMAND_TIMEOUT_MS = 1_500;

/** A connection that reconnects for ever, and tells the log once when Redis goes and once when it is back. */
export function connectRedis(redisUrl: string, role: ConnectionRole, log: Log): Redis {
  const redis = new Redis(redisUrl, { ...shared, ...byRole[role] });
  let away = false;
  redis.on("error", (error: Error) => {
    if (away) return;
    away = true;
    log.error({ err: error, redis: displayAddress(redisUrl) }, "Redis is away; trying again");
  });
  redis.on("ready", () => {
    if (away) log.info({ redis: displayAddress(redisUrl) }, "Redis is back");
    away = false;
  });
  return redis;
}

const shared: RedisOptions = {
  connectTimeout: 5_000,
  // A connection whose other end vanished without a word is noticed.
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(100 * 2 ** Math.min(times, 6), 3_000),
};

const byRole: Record<ConnectionRole, RedisOptions> = {
  producer: {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PRODUCER_COMMAND_TIMEOUT_MS,
  },
  worker: { maxRetriesPerRequest: null },
};

/**
 * Wait for Redis to answer, or throw one sentence that says where it was looked for.
 * For the start of a process; while it runs, the connection comes back by itself.
 */
export async function requireRedis(redis: Redis, redisUrl: string, timeoutMs: number) {
  let reason = `no answer in ${timeoutMs / 1_000} s`;
  const noteError = (error: Error) => {
    reason = error.message || String("code" in error ? error.code : error.name);
  };
  redis.on("error", noteError);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(reason)), timeoutMs);
    });
    await Promise.race([ready(redis).then(() => redis.ping()), late]);
  } catch (error) {
    throw new QueueError(
      "REDIS_UNREACHABLE",
      `Redis at ${displayAddress(redisUrl)} cannot be used (${reason}): start it, or set REDIS_URL.`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    redis.off("error", noteError);
  }
}

function ready(redis: Redis): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    redis.once("ready", resolve);
    redis.once("end", () => reject(new Error("the connection was closed")));
  });
}

/** The address without user and password. */
export function displayAddress(redisUrl: string): string {
  const url = new URL(redisUrl);
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}
