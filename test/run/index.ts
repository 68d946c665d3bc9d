import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { explain } from "../../src/cli/errors.ts";
import type { Guest } from "../../src/cli/guest.ts";
import { prepareGuest } from "../../src/cli/setup/guest.ts";
import { type Purpose, systemPackagesStep } from "../../src/cli/setup/index.ts";
import { runSteps } from "../../src/cli/steps.ts";
import type { Environment } from "../../src/config/environment.ts";
import { checks } from "./checks.ts";
import { add, type Counts, countsOf, lastLine, noCounts } from "./counts.ts";
import { testEnvironment } from "./environment.ts";
import { runNode } from "./part.ts";

export type PartName = "lint" | "types" | "rules" | "unit" | "integration" | "e2e";

export interface TestRun {
  root: string;
  env: Environment;
  parts: readonly PartName[];
  /** For vitest, behind its own arguments. */
  vitestArgs: readonly string[];
  /** `false`: only name the system packages that are missing. */
  install: boolean;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

interface PartResult {
  title: string;
  counts: Counts;
  passed: boolean;
  durationMs: number;
}

/** Which of the system's packages a part needs. */
const purposes: Record<PartName, readonly Purpose[]> = {
  lint: [],
  types: [],
  rules: [],
  unit: [],
  integration: ["service", "test"],
  e2e: ["service", "image", "test"],
};

const limitsMs = { check: 5 * 60_000, unit: 5 * 60_000, integration: 8 * 60_000, e2e: 18 * 60_000 };

/**
 * Runs the parts one after the other, all of them whatever fails, and ends with a table and one line of counts.
 * Returns the exit status.
 */
export async function runTests(run: TestRun): Promise<number> {
  const wanted = [...new Set(run.parts.flatMap((part) => purposes[part]))];
  await runSteps(systemPackagesStep({ ...run, purposes: wanted }), run);
  mkdirSync(join(run.root, "artifacts"), { recursive: true });

  const results: PartResult[] = [];
  for (const check of checks) {
    if (run.parts.includes(check.name)) {
      results.push(await runCheck(check.title, check.args(run.root), run));
    }
  }
  for (const suite of ["unit", "integration"] as const) {
    if (run.parts.includes(suite)) results.push(await runSuite(suite, run, {}));
  }
  if (run.parts.includes("e2e")) results.push(...(await runEndToEnd(run)));
  return summary(results, run.stdout);
}

/** A check that fails is one failure; one that passes is no test. */
async function runCheck(title: string, args: readonly string[], run: TestRun): Promise<PartResult> {
  run.stdout.write(`\n▶ ${title}\n`);
  const startMs = performance.now();
  const env = testEnvironment(run.env);
  const limitMs = limitsMs.check;
  const outcome = await runNode(args, { ...run, env, limitMs, quiet: true });
  const passed = outcome.exitStatus === 0;
  if (!passed) run.stdout.write(outcome.output);
  const counts = passed ? noCounts : { ...noCounts, failed: 1 };
  return finished({ title, counts, passed, durationMs: performance.now() - startMs }, run.stdout);
}

/** Image and base are made once, here, and every test starts from them. */
async function runEndToEnd(run: TestRun): Promise<PartResult[]> {
  const title = "guest image";
  run.stdout.write(`\n▶ ${title}\n`);
  const startMs = performance.now();
  const result = (counts: Counts) => {
    const durationMs = performance.now() - startMs;
    return finished({ title, counts, passed: counts.failed === 0, durationMs }, run.stdout);
  };
  let guest: Guest;
  try {
    guest = await prepareGuest({ ...run, purposes: [] });
  } catch (error) {
    run.signal.throwIfAborted();
    run.stdout.write(`${explain(error, { verbose: false }).text}\n`);
    return [result({ ...noCounts, failed: 1 })];
  }
  const settings = { MOM_IMAGE: guest.image.dir, MOM_TEST_BASE: guest.base.dir };
  return [result(noCounts), await runSuite("e2e", run, settings)];
}

async function runSuite(
  suite: "unit" | "integration" | "e2e",
  run: TestRun,
  settings: Record<string, string>,
): Promise<PartResult> {
  run.stdout.write(`\n▶ ${suite}\n`);
  const startMs = performance.now();
  const report = join(run.root, "artifacts", `${suite}.json`);
  rmSync(report, { force: true });
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    `--project=${suite}`,
    "--passWithNoTests",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...run.vitestArgs,
  ];
  const env = { ...testEnvironment(run.env), ...settings };
  const outcome = await runNode(args, { ...run, env, limitMs: limitsMs[suite], quiet: false });
  if (outcome.timedOut) {
    run.stdout.write(`${suite} was ended after ${limitsMs[suite] / 60_000} minutes.\n`);
  }
  const counts = countsOf(report, outcome.exitStatus);
  const passed = outcome.exitStatus === 0 && counts.failed === 0;
  return finished(
    { title: suite, counts, passed, durationMs: performance.now() - startMs },
    run.stdout,
  );
}

function finished(result: PartResult, stdout: NodeJS.WritableStream): PartResult {
  stdout.write(`${resultLine(result)}\n`);
  return result;
}

function resultLine({ title, counts, passed, durationMs }: PartResult): string {
  const { passed: ok, failed, skipped } = counts;
  const tests = ok + failed + skipped <= 1 ? "" : lastLine(counts);
  const seconds = `${(durationMs / 1_000).toFixed(1)} s`;
  return `${passed ? "✔" : "✖"} ${title.padEnd(18)} ${seconds.padStart(9)}   ${tests}`.trimEnd();
}

function summary(results: readonly PartResult[], stdout: NodeJS.WritableStream): number {
  const total = results.map(({ counts }) => counts).reduce(add, noCounts);
  stdout.write(`\n${results.map(resultLine).join("\n")}\n\n${lastLine(total)}\n`);
  return results.every(({ passed }) => passed) ? 0 : 1;
}
