import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Environment } from "../../config/environment.ts";
import { CliError } from "../errors.ts";
import { Keeper } from "../services/keeper.ts";
import { Part } from "../services/part.ts";
import { type ReadyMessage, saysReady } from "../services/ready.ts";
import { type RedisAddress, startRedis } from "../services/redis.ts";
import type { Step } from "../steps.ts";
import { demoEnvironment } from "./environment.ts";

export interface DemoOptions {
  root: string;
  dataDir: string;
  env: Environment;
  /** Of the page; 0 for any that is free. */
  port: number;
  workers: number;
  signal: AbortSignal;
  /** Told when a part ended by itself and is started again. */
  onMessage: (message: string) => void;
}

/** How long a worker may go on with a running turn when the demo ends. */
const drainSeconds = 3;

/**
 * All parts of Mom on one machine, each a process of its own: Redis, the local Slack, the proxy, the app, the workers.
 * `steps` start them, `stop` ends them in the other order.
 */
export class Demo {
  /** Rejects when a part cannot be kept running. */
  readonly failed: Promise<never>;
  readonly #options: DemoOptions;
  readonly #keepers: Keeper[] = [];
  readonly #starting = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  readonly #fail: (error: CliError) => void;
  readonly #tokens = newTokens();
  #redisUrl = "";
  #slackUrl = "";
  #exposeListen = "127.0.0.1:0";

  constructor(options: DemoOptions) {
    this.#options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Nobody waits for it yet while the parts start.
    promise.catch(() => undefined);
  }

  /** The page to chat in. */
  get pageUrl(): string {
    return `${this.#slackUrl}/`;
  }

  /** With its password: a secret. */
  get redisUrl(): string {
    return this.#redisUrl;
  }

  steps(): Step[] {
    const { workers } = this.#options;
    return [
      { title: "Private Redis", run: () => this.#startRedis() },
      { title: "Local Slack", run: () => this.#startSlackAndProxy() },
      {
        title: workers === 1 ? "App and worker" : `App and ${workers} workers`,
        run: () => this.#startAppAndWorkers(),
      },
    ];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#starting);
    for (const keeper of this.#keepers.toReversed()) await keeper.stop();
  }

  async #startRedis(): Promise<undefined> {
    const { dataDir, env } = this.#options;
    let address: RedisAddress | undefined;
    await this.#keep(async (signal) => {
      const folder = join(dataDir, "demo", "redis");
      const known = address ? { address } : {};
      const redis = await startRedis({
        folder,
        logPath: this.#logPath("redis"),
        env,
        signal,
        ...known,
      });
      address = redis.address;
      this.#redisUrl = redis.url;
      return redis.part;
    });
  }

  async #startSlackAndProxy(): Promise<undefined> {
    await Promise.all([this.#startSlack(), this.#startProxy()]);
  }

  /** For the ports that threads expose, at names below `localhost`. */
  async #startProxy(): Promise<undefined> {
    await this.#keep(async (signal) => {
      const part = await this.#startMom("proxy", "proxy", ["proxy"], signal);
      // The same after a restart: addresses that people have go on.
      this.#exposeListen = new URL(part.ready.url ?? "").host;
      return part;
    });
  }

  async #startSlack(): Promise<undefined> {
    let port = this.#options.port;
    await this.#keep(async (signal) => {
      const part = await this.#startMom(
        "local Slack",
        "slack",
        ["slack", "--port", `${port}`],
        signal,
      );
      this.#slackUrl = part.ready.url ?? "";
      port = Number(new URL(this.#slackUrl).port);
      return part;
    });
  }

  async #startAppAndWorkers(): Promise<undefined> {
    const numbers = Array.from({ length: this.#options.workers }, (_, index) => index + 1);
    const workerArgs = ["worker", "--drain", `${drainSeconds}`];
    await Promise.all([
      ...numbers.map((number) =>
        this.#keep((signal) =>
          this.#startMom(`worker ${number}`, `worker-${number}`, workerArgs, signal),
        ),
      ),
      // Last, so that it ends first: nothing new comes in while the rest ends.
      this.#keep((signal) => this.#startMom("app", "app", ["app"], signal)),
    ]);
  }

  /** Starts a part, and again whenever it ends by itself. */
  async #keep(start: (signal: AbortSignal) => Promise<Part>): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#stopping.signal]);
    const starting = start(signal);
    this.#starting.add(starting);
    const part = await starting;
    this.#keepers.push(
      new Keeper(part, {
        start: () => start(this.#stopping.signal),
        onRestart: this.#options.onMessage,
        onGiveUp: (message) => this.#fail(new CliError("PROGRAM_FAILED", message)),
      }),
    );
  }

  #startMom(
    name: string,
    log: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<Part<ReadyMessage>> {
    const { root, env, dataDir } = this.#options;
    return Part.start(
      {
        name,
        command: process.execPath,
        args: [join(root, "src", "cli", "main.js"), ...args],
        env: demoEnvironment(env, {
          // It has no business in Slack.
          ...(name === "proxy" ? {} : this.#tokens),
          MOM_DATA_DIR: dataDir,
          MOM_EXPOSE_LISTEN: this.#exposeListen,
          REDIS_URL: this.#redisUrl,
          ...(this.#slackUrl ? { SLACK_API_URL: `${this.#slackUrl}/api/` } : {}),
        }),
        ipc: true,
        logPath: this.#logPath(log),
        ready: saysReady,
        readyTimeoutMs: 120_000,
        stopTimeoutMs: (drainSeconds + 7) * 1_000,
      },
      signal,
    );
  }

  #logPath(name: string): string {
    return join(this.#options.dataDir, "logs", `${name}.log`);
  }
}

/** What the local Slack takes and the bot shows: new ones at each start, known to nobody else. */
function newTokens() {
  const secret = () => randomBytes(16).toString("hex");
  return {
    SLACK_BOT_TOKEN: `xoxb-${secret()}`,
    SLACK_APP_TOKEN: `xapp-${secret()}`,
  };
}
