import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../src/cli/services/redis.ts";
import { livingProcesses } from "./process-list.ts";

const signal = new AbortController().signal;
let folder: string;
const running: PrivateRedis[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-redis-"));
});

afterEach(async () => {
  for (const redis of running.splice(0)) await redis.part.stop();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<PrivateRedis> {
  const logPath = join(folder, "redis.log");
  const redis = await startRedis({
    folder: join(folder, "redis"),
    logPath,
    env: process.env,
    signal,
  });
  running.push(redis);
  return redis;
}

async function connected<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

test("what was written is there after a restart", async () => {
  const first = await start();
  await connected(first.url, (client) => client.set("kept", "yes"));
  await first.part.stop();
  const second = await start();
  expect(await connected(second.url, (client) => client.get("kept"))).toBe("yes");
});

test("it wants its password and listens on loopback only", async () => {
  const { url } = await start();
  const stranger = createConnection(Number(new URL(url).port), "127.0.0.1");
  stranger.write("GET kept\r\n");
  const [answer]: Buffer[] = await once(stranger, "data");
  stranger.destroy();
  expect(String(answer)).toMatch(/^-NOAUTH/);
  const bind = await connected(url, (client) => client.config("GET", "bind"));
  expect(bind).toEqual(["bind", "127.0.0.1"]);
  expect(statSync(join(folder, "redis", "redis.conf")).mode & 0o077).toBe(0);
});

test("it never evicts, and writes every command to its file", async () => {
  const { url } = await start();
  const settings = await connected(url, async (client) => [
    ...((await client.config("GET", "maxmemory-policy")) as string[]),
    ...((await client.config("GET", "appendonly")) as string[]),
  ]);
  expect(settings).toEqual(["maxmemory-policy", "noeviction", "appendonly", "yes"]);
});

test("it is gone after stop, and its port is free", async () => {
  const { url, part } = await start();
  await part.stop();
  await expect(connected(url, (client) => client.ping())).rejects.toThrow();
  expect(livingProcesses().filter(({ group }) => group === part.pid)).toEqual([]);
});

test("it ends when its parent is killed", async () => {
  const script = `
    import { startRedis } from ${JSON.stringify(join(import.meta.dirname, "../../src/cli/services/redis.ts"))};
    const folder = ${JSON.stringify(folder)};
    const signal = new AbortController().signal;
    const { url } = await startRedis({ folder, logPath: folder + "/log", env: process.env, signal });
    console.log(url);
  `;
  const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line]: Buffer[] = await once(parent.stdout, "data");
  const url = String(line).trim();
  expect(await connected(url, (client) => client.ping())).toBe("PONG");
  parent.kill("SIGKILL");
  await untilRefused(url);
});

async function untilRefused(url: string): Promise<void> {
  for (;;) {
    const answered = await connected(url, (client) => client.ping()).catch(() => undefined);
    if (answered === undefined) return;
    await sleep(50);
  }
}
