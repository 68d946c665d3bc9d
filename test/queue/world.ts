import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { TurnQueue, TurnTaker, type TurnTakerOptions } from "../../src/queue/index.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { quick, quiet } from "./support.ts";

/** A private Redis, and what talks to it: each ends with the test that opened it. */
export class QueueWorld {
  readonly redis: TestRedis;

  private constructor(redis: TestRedis) {
    this.redis = redis;
  }

  static async start(): Promise<QueueWorld> {
    return new QueueWorld(await startRedis());
  }

  stop(): Promise<void> {
    return this.redis.stop();
  }

  async queue(name: string): Promise<TurnQueue> {
    const queue = new TurnQueue({ redisUrl: this.redis.url, prefix: name, log: quiet });
    onTestFinished(() => queue.close());
    await queue.ready();
    return queue;
  }

  async taker(
    name: string,
    options: Partial<TurnTakerOptions> & Pick<TurnTakerOptions, "handle">,
  ): Promise<TurnTaker> {
    const taker = new TurnTaker({
      redisUrl: this.redis.url,
      prefix: name,
      workerId: "w1",
      log: quiet,
      timing: quick,
      abandon: async () => {},
      ...options,
    });
    onTestFinished(() => taker.close({ deadlineMs: 0 }));
    await taker.run();
    return taker;
  }

  /** As BullMQ wants it for what blocks. */
  blockingClient(): Redis {
    const connection = new Redis(this.redis.url, { maxRetriesPerRequest: null });
    onTestFinished(() => connection.disconnect());
    return connection;
  }

  client(): Redis {
    const connection = new Redis(this.redis.url);
    onTestFinished(() => connection.disconnect());
    return connection;
  }
}
