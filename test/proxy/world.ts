import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { type ProxyLimits, type RunningProxy, startProxy } from "../../src/proxy/index.ts";
import type { Turn } from "../../src/queue/index.ts";
import { threadKey } from "../../src/queue/index.ts";
import { quiet } from "../queue/support.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { Harness } from "../worker/harness.ts";

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  rawHeaders: string[];
  body: string;
}

function proxyOf(harness: Harness, limits: Partial<ProxyLimits>): Promise<RunningProxy> {
  const listen = { host: "127.0.0.1", port: 0 };
  const config = { listen, url: "http://localhost:8090" };
  return startProxy({ config, queue: harness.queue, log: quiet, limits });
}

/** The proxy, workers on machines of this host, and their queue. */
export class ProxyWorld {
  readonly harness: Harness;
  readonly proxy: RunningProxy;

  private constructor(harness: Harness, proxy: RunningProxy) {
    this.harness = harness;
    this.proxy = proxy;
  }

  static async start(limits: Partial<ProxyLimits> = {}): Promise<ProxyWorld> {
    const harness = await Harness.start();
    return new ProxyWorld(harness, await proxyOf(harness, limits));
  }

  async otherProxy(limits: Partial<ProxyLimits>): Promise<RunningProxy> {
    const proxy = await proxyOf(this.harness, limits);
    onTestFinished(() => proxy.close());
    return proxy;
  }

  worker(graceMs = 60_000) {
    const config = {
      ...this.harness.config,
      workerId: `w-${randomUUID().slice(0, 8)}`,
      graceMs,
      expose: { host: "127.0.0.1" },
    };
    return this.harness.worker({ config });
  }

  /** A thread with a program that goes on, and this port exposed. */
  async thread(port: number): Promise<{ root: SeenMessage; turn: Turn; name: string }> {
    const root = await this.harness.root();
    const turn = await this.harness.command(root, "sleep 300 & echo $! > pid");
    await this.harness.closed(turn);
    const { name } = await this.harness.queue.expose(turn.thread, port);
    return { root, turn, name };
  }

  async headOf(turn: Turn): Promise<string | null | undefined> {
    const { steps, at } = await this.harness.queue.lineage(turn.thread);
    return steps[at - 1]?.snapshot;
  }

  /** Until the thread is no worker's. */
  async asleep(turn: Turn): Promise<void> {
    for (;;) {
      const { kind } = await this.harness.queue.place(threadKey(turn.thread));
      if (kind !== "awake") return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  host(name: string): string {
    return `${name}.localhost:8090`;
  }

  get(
    name: string,
    options: {
      path?: string;
      method?: string;
      headers?: Record<string, string>;
      body?: string;
      port?: number;
    } = {},
  ): Promise<Answer> {
    const { path = "/", method = "GET", headers = {}, body, port = this.proxy.port } = options;
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          port,
          path,
          method,
          agent: false,
          headers: { host: this.host(name), ...headers },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () =>
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              rawHeaders: answer.rawHeaders,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      asked.on("error", reject);
      asked.end(body);
    });
  }

  /** Bytes as they are, and all that comes back until the connection ends. */
  raw(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.proxy.port, "127.0.0.1");
      let all = "";
      socket.setEncoding("latin1");
      socket.on("data", (text) => {
        all += text;
      });
      socket.on("error", () => {});
      socket.once("close", () => resolve(all));
      socket.write(bytes, "latin1");
    });
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.harness.close();
  }
}
