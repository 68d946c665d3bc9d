import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Environment } from "../../config/environment.ts";
import { CliError } from "../errors.ts";
import { findProgram } from "../processes.ts";
import { Part } from "./part.ts";

export interface PrivateRedis {
  part: Part;
  address: RedisAddress;
  /** With its password: a secret. */
  url: string;
}

export interface RedisAddress {
  port: number;
  password: string;
}

export interface PrivateRedisOptions {
  /** Its own folder: configuration and append-only file. */
  folder: string;
  logPath: string;
  env: Environment;
  /** Of an earlier start, so that others find it again; a new one without. */
  address?: RedisAddress;
  signal: AbortSignal;
}

const host = "127.0.0.1";

/**
 * redis-server knows nothing of its parent, so a shell stands between: it ends the server when its own standard
 * input closes, which happens when the parent is gone, also by SIGKILL.
 */
const tiedServer = `
trap 'kill "$server"' TERM
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill "$server"; } 2>/dev/null &
watcher=$!
status=0
wait "$server" || status=$?
# Over 128: the trap may have ended the wait while the server still writes its file.
if [ "$status" -gt 128 ]; then wait "$server" || status=$?; fi
kill "$watcher"
# Whoever waits for this shell finds nothing of it left.
wait "$watcher" 2>/dev/null
exit "$status"
`;

/**
 * Starts a Redis of our own: on loopback, with a random password, on a free port, every write in an append-only
 * file. Throws `CliError`.
 */
export async function startRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  const server = findProgram("redis-server", options.env);
  if (!server) {
    throw new CliError(
      "MISSING",
      "redis-server is not installed: apt-get install --no-install-recommends redis-server",
    );
  }
  const address = options.address ?? {
    port: await freePort(),
    password: randomBytes(24).toString("hex"),
  };
  const configPath = writeConfig(options.folder, address);
  const url = `redis://:${address.password}@${host}:${address.port}`;
  const part = await Part.start(
    {
      name: "private Redis",
      command: "/bin/sh",
      args: ["-c", tiedServer, "sh", server, configPath],
      env: { PATH: options.env.PATH ?? "/usr/bin:/bin" },
      ipc: false,
      logPath: options.logPath,
      ready: (_child, signal) => answers(url, signal),
      readyTimeoutMs: 15_000,
      stopTimeoutMs: 10_000,
    },
    options.signal,
  );
  return { part, address, url };
}

/** The password stays out of the list of processes: it is in a file that only we may read. */
function writeConfig(folder: string, { port, password }: RedisAddress): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "redis.conf");
  const quoted = JSON.stringify(folder);
  const lines = [
    `bind ${host}`,
    `port ${port}`,
    "protected-mode yes",
    `requirepass ${password}`,
    `dir ${quoted}`,
    "daemonize no",
    "appendonly yes",
    "appendfsync everysec",
    'save ""',
    // The queue must never be thrown out to make room.
    "maxmemory-policy noeviction",
  ];
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o600 });
  return path;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, host, resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

async function answers(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.ping();
      return;
    } catch {
      // Not listening yet, or still reading its file.
      await sleep(50, undefined, { signal }).catch(() => undefined);
    } finally {
      client.disconnect();
    }
  }
  signal.throwIfAborted();
}
