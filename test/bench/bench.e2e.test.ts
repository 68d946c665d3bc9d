import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
/** The stock machine's base may have to be made first: a cold boot without tuning, on a busy computer. */
const TIMEOUT_MS = 600_000;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-bench-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function mom(...args: string[]) {
  const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), ...args], {
    env: { ...process.env, MOM_ENV_FILE: "/dev/null" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const status = await new Promise((settle) => child.once("close", settle));
  return { status, stdout, stderr };
}

test(
  "echo is measured on both sides, and a later run is compared with it",
  async () => {
    const out = join(folder, "results", "first.json");
    const first = await mom("bench", "echo", "--runs", "1", "--json", "--out", out);
    expect(first.status, first.stderr).toBe(0);
    const summary = {
      median: expect.any(Number),
      min: expect.any(Number),
      max: expect.any(Number),
      runs: 1,
    };
    const figures = JSON.parse(first.stdout);
    expect(figures).toEqual([
      { name: "echo", unit: "ms", ours: summary, stock: summary, ratio: expect.any(Number) },
    ]);
    expect(figures[0].ours.median).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(out, "utf8"))).toEqual(figures);

    const second = await mom("bench", "echo", "--runs", "1", "--compare", out);
    expect(second.status, second.stderr).toBe(0);
    expect(second.stdout).toMatch(/^name +unit +ours.*\necho +ms /);
    expect(second.stdout).toMatch(/\nname +unit +ours before +ours now +change.*\necho +ms /);
  },
  TIMEOUT_MS,
);
