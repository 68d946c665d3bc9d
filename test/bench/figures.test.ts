import { describe, expect, test } from "vitest";
import { figureOf, figureSchema, summarize } from "./figures.ts";

describe("a summary", () => {
  test.each([
    [[7], { median: 7, min: 7, max: 7, runs: 1 }],
    [[3, 1, 2], { median: 2, min: 1, max: 3, runs: 3 }],
    [[4, 1, 3, 2], { median: 2.5, min: 1, max: 4, runs: 4 }],
    // As numbers, not as words.
    [[10, 9, 100], { median: 10, min: 9, max: 100, runs: 3 }],
    [[1.23456, 1.23456], { median: 1.235, min: 1.235, max: 1.235, runs: 2 }],
    [[36_869_849], { median: 36_869_849, min: 36_869_849, max: 36_869_849, runs: 1 }],
  ])("of %j", (values, summary) => {
    expect(summarize(values)).toEqual(summary);
  });

  test("of nothing is refused", () => {
    expect(() => summarize([])).toThrow(RangeError);
  });

  test("leaves the values in their order", () => {
    const values = [3, 1, 2];
    summarize(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe("the ratio says how many times better we are", () => {
  const less = { name: "echo", unit: "ms", better: "less" } as const;
  const more = { name: "output-stream", unit: "MB/s", better: "more" } as const;

  test("where less is better", () => {
    expect(figureOf(less, [10], [30]).ratio).toBe(3);
    expect(figureOf(less, [30], [15]).ratio).toBe(0.5);
  });

  test("where more is better", () => {
    expect(figureOf(more, [10], [0.5]).ratio).toBe(20);
  });

  test("by the medians", () => {
    expect(figureOf(less, [1, 2, 90], [4, 4, 400]).ratio).toBe(2);
  });

  test("and nothing where there is nothing to divide by", () => {
    expect(figureOf(less, [0], [30]).ratio).toBeNull();
    expect(figureOf(less, [10], undefined)).toMatchObject({ stock: null, ratio: null });
  });
});

test("the JSON of a figure has these fields and no others", () => {
  const figure = figureOf({ name: "echo", unit: "ms", better: "less" }, [1, 2], [4]);
  expect(JSON.parse(JSON.stringify(figure))).toEqual({
    name: "echo",
    unit: "ms",
    ours: { median: 1.5, min: 1, max: 2, runs: 2 },
    stock: { median: 4, min: 4, max: 4, runs: 1 },
    ratio: 2.667,
  });
  expect(figureSchema.parse(figure)).toEqual(figure);
});
