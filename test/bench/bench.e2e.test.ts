import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryBytes } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import { testGuest } from "../support/guest.ts";
import { startMom } from "../support/mom.ts";
import { benchFolder } from "./index.ts";
import { hasStockBase } from "./stock/base.ts";

/** Two cold boots, one of them without tuning, on a busy computer. */
const TIMEOUT_MS = 300_000;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-bench-"));
});
afterAll(() => rm(folder, { recursive: true }));

/**
 * What both sides have soonest: the start from a saved base, where an earlier bench has made the stock machine's, which takes two
 * minutes of processor time; else both boot.
 */
async function quickestFigure(): Promise<{ name: string; unit: string }> {
  const folder = benchFolder(process.env);
  const { image } = await testGuest();
  const isKept = await hasStockBase({
    image,
    memoryBytes: memoryBytes(machineConfig(process.env)),
    folder,
  });
  return isKept ? { name: "rss", unit: "MB" } : { name: "cold-boot", unit: "s" };
}

test(
  "both sides are measured and compared with an earlier run",
  async () => {
    const out = join(folder, "results", "this.json");
    const summary = { median: 10, min: 10, max: 10, runs: 1 };
    const earlier = join(folder, "earlier.json");
    const { name, unit } = await quickestFigure();
    const figure = { name, unit, ours: summary, stock: null, ratio: null };
    await writeFile(earlier, JSON.stringify([figure]));
    const files = ["--out", out, "--compare", earlier];
    const run = await startMom(["bench", name, "--runs", "1", "--json", ...files]).result;
    expect(run.status, run.stderr).toBe(0);
    const measured = {
      median: expect.any(Number),
      min: expect.any(Number),
      max: expect.any(Number),
      runs: 1,
    };
    const figures = JSON.parse(run.stdout.toString());
    expect(figures).toEqual([
      { ...figure, ours: measured, stock: measured, ratio: expect.any(Number) },
    ]);
    expect(figures[0].ours.median).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(out, "utf8"))).toEqual(figures);
    const head = "^name +unit +ours before +ours now +change.*";
    expect(run.stderr).toMatch(new RegExp(`${head}\\n${name} +${unit} +10 `, "m"));
  },
  TIMEOUT_MS,
);
