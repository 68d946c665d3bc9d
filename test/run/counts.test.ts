import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { add, countsOf, lastLine } from "./counts.ts";

const folder = mkdtempSync(join(tmpdir(), "mom-counts-"));
afterAll(() => rmSync(folder, { recursive: true }));

function report(content: object): string {
  const path = join(folder, "report.json");
  const empty = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  writeFileSync(path, JSON.stringify({ ...empty, testResults: [], ...content }));
  return path;
}

test("passed, failed, and skipped ones with those to be written", () => {
  const path = report({
    numPassedTests: 5,
    numFailedTests: 2,
    numPendingTests: 3,
    numTodoTests: 1,
  });
  expect(countsOf(path, 1)).toEqual({ passed: 5, failed: 2, skipped: 4 });
});

test("a file that could not be loaded is a failure", () => {
  const broken = { status: "failed", assertionResults: [] };
  expect(countsOf(report({ numPassedTests: 5, testResults: [broken] }), 1).failed).toBe(1);
});

test("a run that failed beside its tests, or left no report, is a failure", () => {
  expect(countsOf(report({ numPassedTests: 5 }), 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
  expect(countsOf(join(folder, "none.json"), null).failed).toBe(1);
});

test("the last line is the sum", () => {
  const sum = add({ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 20, skipped: 30 });
  expect(lastLine(sum)).toBe("11 passed, 22 failed, 33 skipped");
});
