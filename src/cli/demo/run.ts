import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Environment } from "../../config/environment.ts";
import { untilAborted } from "../context.ts";
import { seconds } from "../quantities.ts";
import { takeRunLock } from "../services/run-lock.ts";
import { guestSteps } from "../setup/guest.ts";
import { runSteps } from "../steps.ts";
import { demoFile } from "./address.ts";
import { openInBrowser } from "./browser.ts";
import { Demo } from "./demo.ts";

export interface RunDemoOptions {
  root: string;
  dataDir: string;
  env: Environment;
  port?: number;
  workers: number;
  install: boolean;
  open: boolean;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

const usualPort = 7070;

/** Sets up what is missing, starts all parts, says the page's address, and ends everything with the signal. */
export async function runDemo(options: RunDemoOptions): Promise<void> {
  const lock = takeRunLock(join(options.dataDir, "demo", "lock"), "A demo with this data folder");
  try {
    const startMs = performance.now();
    await runSteps(await guestSteps({ ...options, purposes: ["service"] }), options);
    const demo = new Demo({
      ...options,
      port: options.port ?? (await portOrAnother(usualPort)),
      onMessage: (message) => options.stderr.write(`mom: ${message}\n`),
    });
    await runParts(demo, startMs, options);
  } finally {
    lock.release();
  }
}

async function runParts(demo: Demo, startMs: number, options: RunDemoOptions): Promise<void> {
  const { dataDir, stdout, stderr, signal } = options;
  try {
    await runSteps(demo.steps(), options);
    const address = { pid: process.pid, pageUrl: demo.pageUrl, redisUrl: demo.redisUrl };
    writeFileSync(demoFile(dataDir), JSON.stringify(address), { mode: 0o600 });
    const took = seconds(performance.now() - startMs);
    stderr.write(`Ready after ${took}. Logs are in ${join(dataDir, "logs")}, Ctrl-C ends it.\n`);
    stdout.write(`Mom is ready: ${demo.pageUrl}\n`);
    if (options.open && stdout.isTTY) openInBrowser(demo.pageUrl, options.env);
    await Promise.race([untilAborted(signal), demo.failed]);
  } finally {
    stderr.write("mom: ending (Ctrl-C once more ends it at once)\n");
    rmSync(demoFile(dataDir), { force: true });
    await demo.stop();
  }
}

/** The port people get to know, unless another program has it. */
async function portOrAnother(port: number): Promise<number> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(0));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
  });
}
