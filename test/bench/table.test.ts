import { expect, test } from "vitest";
import { type Figure, figureOf } from "./figures.ts";
import { comparisonTable, figuresTable } from "./table.ts";

const echo = (ours: number[], stock: number[]): Figure =>
  figureOf({ name: "echo", unit: "ms", better: "less" }, ours, stock);
const overhead = figureOf({ name: "turn-overhead", unit: "ms", better: "less" }, [40], undefined);

const cells = (table: string) => table.split("\n").map((line) => line.split(/ {2,}/));

test("the table has a line for each figure, with median, spread, runs and ratio", () => {
  expect(cells(figuresTable([echo([3, 1, 2], [8, 8, 8]), overhead])).slice(1)).toEqual([
    ["echo", "ms", "2", "(1–3, 3)", "8", "(8–8, 3)", "4×"],
    ["turn-overhead", "ms", "40", "(40–40, 1)", "–", "–"],
  ]);
});

test("what costs nothing at all is infinitely better", () => {
  expect(figuresTable([echo([0], [28])])).toMatch(/∞$/);
});

test("columns stand below each other", () => {
  const [head = "", line = ""] = figuresTable([echo([2], [8])]).split("\n");
  expect(line.indexOf("ms")).toBe(head.indexOf("unit"));
  expect(line.length).toBe(head.length);
});

test("a comparison shows both runs and the change", () => {
  expect(cells(comparisonTable([echo([2], [8])], [echo([4], [8])]))[1]).toEqual([
    "echo",
    "ms",
    "4",
    "2",
    "−50 %",
    "2×",
    "4×",
  ]);
  expect(comparisonTable([echo([4.1], [8])], [echo([4], [8])])).toContain("+2.5 %");
  expect(comparisonTable([echo([4], [8])], [echo([4], [8])])).toContain("±0 %");
});

test("a comparison leaves out what only one run has, and says so where nothing is left", () => {
  const table = comparisonTable([echo([2], [8]), overhead], [echo([4], [8])]);
  expect(table).not.toContain("turn-overhead");
  expect(comparisonTable([overhead], [echo([4], [8])])).toBe(
    "The earlier run has none of these figures.",
  );
});

test("figures of another unit are not compared", () => {
  const seconds = { ...echo([4], [8]), unit: "s" };
  expect(comparisonTable([echo([2], [8])], [seconds])).not.toContain("echo");
});
