import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { testGuest } from "../support/guest.ts";
import { familyOf, livingProcesses, type ProcessEntry } from "./process-list.ts";

const root = resolve(import.meta.dirname, "../..");
let dataDir: string;
let image: string;
const running = new Set<ChildProcess>();

/** A data folder of its own, so that a person's own demo is not in the way; image and base are the shared ones. */
beforeAll(async () => {
  const guest = await testGuest();
  image = guest.image.dir;
  dataDir = mkdtempSync(join(tmpdir(), "mom-demo-"));
  symlinkSync(dirname(guest.base.dir), join(dataDir, "bases"));
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

interface RunningDemo {
  child: ChildProcess;
  pageUrl: string;
  /** Everything it has started. */
  family: ProcessEntry[];
  ended: Promise<number | null>;
  stderr: () => string;
}

/** A machine that warms up keeps a processor busy for half a minute: the first test has that, as an installation does. */
const COLD = { MOM_WARM_UP: "off" };

async function startDemo(
  settings: NodeJS.ProcessEnv = {},
  ...args: string[]
): Promise<RunningDemo> {
  const child = spawn(
    process.execPath,
    [join(root, "src/cli/main.js"), "demo", "--no-install", "--port", "0", ...args],
    {
      env: {
        ...process.env,
        MOM_DATA_DIR: dataDir,
        MOM_IMAGE: image,
        MOM_ENV_FILE: "/dev/null",
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  running.add(child);
  let stdout = "";
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((settle) => child.once("exit", settle));
  const pageUrl = await new Promise<string>((settle, reject) => {
    child.stdout?.on("data", (chunk) => {
      stdout += chunk;
      const ready = /^Mom is ready: (\S+)\n/.exec(stdout);
      if (ready?.[1]) settle(ready[1]);
    });
    child.once("exit", (status) => reject(new Error(`ended with ${status}:\n${stderr}`)));
  });
  const family = familyOf(Number(child.pid));
  return { child, pageUrl, family, ended, stderr: () => stderr };
}

/** Those of a family that run on; what has only just ended may still be on the list. */
async function left(family: readonly ProcessEntry[]): Promise<ProcessEntry[]> {
  for (let attempt = 0; ; attempt++) {
    const all = livingProcesses();
    const still = family.filter(({ pid, command }) =>
      all.some((entry) => entry.pid === pid && entry.command === command),
    );
    if (still.length === 0 || attempt === 100) return still;
    await sleep(100);
  }
}

test("the page answers, a second demo is refused, and Ctrl-C leaves no process, no lock and no address", async () => {
  const demo = await startDemo();
  const page = await fetch(demo.pageUrl);
  expect(page.status).toBe(200);
  expect(await page.text()).toMatch(/<!doctype html>/i);
  // Itself, Redis and its shell, the local Slack, the app, the worker and its machine.
  expect(demo.family.length).toBeGreaterThanOrEqual(7);
  await expect(startDemo()).rejects.toThrow(/runs already \(process \d+\)/);

  demo.child.kill("SIGINT");
  expect(await demo.ended).toBe(0);
  expect(await left(demo.family)).toEqual([]);
  expect(readdirSync(join(dataDir, "demo"))).toEqual(["redis"]);
  await expect(fetch(demo.pageUrl)).rejects.toThrow();
});

test("when it is killed all its parts end by themselves; the next start works, and says how long it took", async () => {
  const demo = await startDemo(COLD);
  demo.child.kill("SIGKILL");
  await demo.ended;
  expect(await left(demo.family)).toEqual([]);
  const next = await startDemo(COLD, "--workers", "2");
  const took = /Ready after ([\d.]+) s/.exec(next.stderr())?.[1];
  console.info(`next start: ready after ${took} s`);
  expect(Number(took)).toBeGreaterThan(0);
  expect((await fetch(next.pageUrl)).status).toBe(200);
  next.child.kill("SIGTERM");
  expect(await next.ended).toBe(0);
  expect(await left(next.family)).toEqual([]);
});

test("an app, a worker or a Slack that dies is started again, with a message", async () => {
  const demo = await startDemo(COLD);
  const isPart = (part: string) => (entry: ProcessEntry) =>
    entry.command.includes(`main.js ${part}`);
  for (const part of ["app", "worker", "slack"]) {
    const victim = demo.family.find(isPart(part)) ?? expect.fail(`there is no ${part}`);
    const saidBefore = demo.stderr().length;
    process.kill(victim.pid, "SIGKILL");
    const said = () => demo.stderr().slice(saidBefore);
    while (!/was ended by SIGKILL: starting it again/.test(said())) await sleep(50);
    const isBack = () =>
      familyOf(Number(demo.child.pid)).some(
        (entry) => isPart(part)(entry) && entry.pid !== victim.pid,
      );
    while (!isBack()) await sleep(50);
  }
  demo.child.kill("SIGINT");
  expect(await demo.ended).toBe(0);
});

test("Ctrl-C while it starts ends it", async () => {
  mkdirSync(dataDir, { recursive: true });
  const starting = startDemo(COLD);
  const [child] = running;
  while (familyOf(Number(child?.pid)).length < 3) await sleep(20);
  const family = familyOf(Number(child?.pid));
  child?.kill("SIGINT");
  await expect(starting).rejects.toThrow(/ended with 130/);
  expect(await left(family)).toEqual([]);
});
