import { readFileSync } from "node:fs";
import { z } from "zod";

/** How the tests of a part went. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export const noCounts: Counts = { passed: 0, failed: 0, skipped: 0 };

export function add(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The last line of a run, for people and programs alike. */
export function lastLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

/**
 * Reads the report of vitest's JSON reporter. A file that could not be loaded has no tests in it, and a run can fail
 * beside its tests (an unhandled rejection, no report at all): each counts as one that failed, so that a failure
 * is never a line of zeros.
 */
export function countsOf(reportPath: string, exitStatus: number | null): Counts {
  const counts = readCounts(reportPath);
  if (exitStatus !== 0 && counts.failed === 0) return { ...counts, failed: 1 };
  return counts;
}

function readCounts(reportPath: string): Counts {
  let text: string;
  try {
    text = readFileSync(reportPath, "utf8");
  } catch {
    return noCounts;
  }
  const read = report.parse(JSON.parse(text));
  const unloaded = read.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  return {
    passed: read.numPassedTests,
    failed: read.numFailedTests + unloaded.length,
    skipped: read.numPendingTests + read.numTodoTests,
  };
}
