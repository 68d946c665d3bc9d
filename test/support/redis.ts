import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Redis of one's own: free port on loopback, own folder, append-only file on. */
export interface TestRedis {
  url: string;
  /** End it as a power cut does (SIGKILL). The folder stays. */
  kill(): Promise<void>;
  /** Start it again on the same port with the same folder. */
  restart(): Promise<void>;
  /** Stop it as it is: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** End it and remove its folder. */
  stop(): Promise<void>;
}

const MEMORY_FOLDER = "/dev/shm";
const ROOM_BYTES = 256 << 20;

/**
 * @example
 * const redis = await startRedis();
 * afterAll(() => redis.stop());
 */
export async function startRedis(): Promise<TestRedis> {
  const folder = await makeFolder();
  const port = await freePort();
  let server = await launch(folder, port);
  async function kill(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    server.kill("SIGKILL");
    await exited;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    async restart() {
      await kill();
      server = await launch(folder, port);
    },
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * In memory where the host has room for it. Each write is synced before it is answered, and a disk that an image is built
 * on meanwhile takes longer for that than clients wait. What a process wrote outlives its end there, too.
 */
async function makeFolder(): Promise<string> {
  const freeBytes = await statfs(MEMORY_FOLDER).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  return mkdtemp(join(freeBytes >= ROOM_BYTES ? MEMORY_FOLDER : tmpdir(), "mom-redis-"));
}

async function launch(folder: string, port: number): Promise<ChildProcess> {
  const options = {
    bind: "127.0.0.1",
    port: String(port),
    dir: folder,
    appendonly: "yes",
    appendfsync: "always",
    save: "",
    "maxmemory-policy": "noeviction",
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  const { stdout } = server;
  if (!stdout) throw new Error("redis-server has no output");
  let output = "";
  stdout.setEncoding("utf8");
  await new Promise<void>((resolve, reject) => {
    stdout.on("data", (text: string) => {
      output += text;
      if (output.includes("Ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`redis-server did not start:\n${output}`)));
  });
  return server;
}

/** A port that nothing listens on right now, below those that are handed out to who asks for any: it stays free until it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
}
