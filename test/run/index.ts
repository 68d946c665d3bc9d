import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { explain } from "../../src/cli/errors.ts";
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

/** A project of vitest's (vitest.config.ts). End to end is two, so that one of them can begin when the quick parts are over. */
type Suite = "unit" | "integration" | "e2e" | "e2e-slack";

const limitsMs = {
  check: 5 * 60_000,
  unit: 10 * 60_000,
  integration: 15 * 60_000,
  e2e: 25 * 60_000,
  "e2e-slack": 25 * 60_000,
};

/**
 * Runs all parts, whatever fails, and ends with a table and one line of counts. Two lanes side by side, as long as each
 * other: in one the guest image and what is done with guests, in the other all else, and then those that Slack leads to.
 * Returns the exit status.
 */
export async function runTests(run: TestRun): Promise<number> {
  const wanted = [...new Set(run.parts.flatMap((part) => purposes[part]))];
  await runSteps(systemPackagesStep({ ...run, purposes: wanted }), run);
  mkdirSync(join(run.root, "artifacts"), { recursive: true });

  const preparing = prepareImage(run);
  const [quick, guest] = await Promise.all([
    runQuickParts(run).then(async (results) => [
      ...results,
      ...(await runWithGuest("e2e-slack", preparing, run)),
    ]),
    runWithGuest("e2e", preparing, run),
  ]);
  return summary([...(await preparing).results, ...quick, ...guest], run.stdout);
}

async function runQuickParts(run: TestRun): Promise<PartResult[]> {
  const results: PartResult[] = [];
  for (const check of checks) {
    if (run.parts.includes(check.name)) {
      results.push(await runCheck(check.title, check.args(run.root), run));
    }
  }
  for (const suite of ["unit", "integration"] as const) {
    if (run.parts.includes(suite)) results.push(await runSuite(suite, run, {}));
  }
  return results;
}

interface ImagePart {
  /** None, where no wanted part needs it. */
  results: PartResult[];
  /** For the suites that use it, once it is there. */
  settings: Record<string, string> | undefined;
}

/** Image and base are made once, here, and every test starts from them. */
async function prepareImage(run: TestRun): Promise<ImagePart> {
  if (!run.parts.includes("e2e")) return { results: [], settings: undefined };
  const startMs = performance.now();
  const result = (counts: Counts) => {
    const durationMs = performance.now() - startMs;
    const passed = counts.failed === 0;
    return finished({ title: "guest image", counts, passed, durationMs }, run.stdout);
  };
  try {
    const { image, base } = await prepareGuest({ ...run, purposes: [] });
    const settings = { MOM_IMAGE: image.dir, MOM_TEST_BASE: base.dir };
    return { results: [result(noCounts)], settings };
  } catch (error) {
    run.signal.throwIfAborted();
    run.stdout.write(`${explain(error, { verbose: false }).text}\n`);
    return { results: [result({ ...noCounts, failed: 1 })], settings: undefined };
  }
}

async function runWithGuest(
  suite: Suite,
  preparing: Promise<ImagePart>,
  run: TestRun,
): Promise<PartResult[]> {
  const { settings } = await preparing;
  return settings ? [await runSuite(suite, run, settings)] : [];
}

/** A check that fails is one failure; one that passes is no test. */
async function runCheck(title: string, args: readonly string[], run: TestRun): Promise<PartResult> {
  const startMs = performance.now();
  const env = testEnvironment(run.env);
  const limitMs = limitsMs.check;
  const outcome = await runNode(args, { ...run, env, limitMs, quiet: true });
  const passed = outcome.exitStatus === 0;
  if (!passed) run.stdout.write(outcome.output);
  const counts = passed ? noCounts : { ...noCounts, failed: 1 };
  return finished({ title, counts, passed, durationMs: performance.now() - startMs }, run.stdout);
}

async function runSuite(
  suite: Suite,
  run: TestRun,
  settings: Record<string, string>,
): Promise<PartResult> {
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
  // The longest suite is watched as it goes; what runs beside it shows its output in one piece.
  const isAlone = run.parts.length === 1 && (suite !== "e2e-slack" || run.vitestArgs.length > 0);
  const quiet = suite !== "e2e" && !isAlone;
  if (!quiet) run.stdout.write(`\n▶ ${suite}\n`);
  const outcome = await runNode(args, { ...run, env, limitMs: limitsMs[suite], quiet });
  if (quiet) run.stdout.write(`\n▶ ${suite}\n${outcome.output}`);
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
