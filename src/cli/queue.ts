import { dataDir } from "../config/environment.ts";
import { queueConfig } from "../config/index.ts";
import { TurnQueue } from "../queue/index.ts";
import type { CliContext } from "./context.ts";
import { runningDemo } from "./demo/address.ts";
import { createLogger } from "./logger.ts";

/** Do something with the queue: that of the settings, else of the demo that runs on this machine. */
export async function withQueue<T>(
  context: CliContext,
  use: (queue: TurnQueue) => Promise<T>,
): Promise<T> {
  const demo = context.env.REDIS_URL ? undefined : runningDemo(dataDir(context.env));
  const env = demo ? { ...context.env, REDIS_URL: demo.redisUrl } : context.env;
  const queue = new TurnQueue({ ...queueConfig(env), log: createLogger("silent", env) });
  try {
    await queue.ready();
    return await use(queue);
  } finally {
    await queue.close();
  }
}
