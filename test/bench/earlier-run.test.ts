import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readEarlierRun } from "./earlier-run.ts";
import { figureOf } from "./figures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-bench-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("what a run wrote is read back", async () => {
  const figures = [figureOf({ name: "echo", unit: "ms", better: "less" }, [1], [2])];
  await writeFile(join(folder, "good.json"), JSON.stringify(figures));
  expect(await readEarlierRun(join(folder, "good.json"))).toEqual(figures);
});

test.each([
  ["not JSON", "{"],
  ["another program's JSON", '{"results": []}'],
  ["a figure without runs", '[{"name": "echo", "unit": "ms", "ours": {}, "stock": null}]'],
])("%s is refused with a sentence", async (_what, text) => {
  const path = join(folder, "bad.json");
  await writeFile(path, text);
  await expect(readEarlierRun(path)).rejects.toMatchObject({
    code: "BAD_COMPARISON",
    message: expect.stringContaining("bad.json is not what `./mom bench --out FILE` writes"),
  });
});

test("a missing file is refused with a sentence", async () => {
  await expect(readEarlierRun(join(folder, "none.json"))).rejects.toMatchObject({
    code: "BAD_COMPARISON",
    message: expect.stringContaining("none.json cannot be read"),
  });
});
