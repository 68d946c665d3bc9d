import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Guest, memoryBytes } from "../../src/cli/guest.ts";
import { guestSteps } from "../../src/cli/setup/guest.ts";
import { runSteps, type Step } from "../../src/cli/steps.ts";
import { type Environment, machineConfig } from "../../src/config/index.ts";
import { cases } from "./cases/index.ts";
import { readEarlierRun } from "./earlier-run.ts";
import type { Figure } from "./figures.ts";
import { Lab } from "./lab.ts";
import { type BenchCase, measure } from "./measure.ts";
import type { BenchName } from "./names.ts";
import type { SideName } from "./standstill.ts";
import { type StockBase, stockBase, stockFromPowerOn } from "./stock/base.ts";
import { comparisonTable, figuresTable } from "./table.ts";

export interface BenchRun {
  root: string;
  env: Environment;
  names: readonly BenchName[];
  runs: number;
  json: boolean;
  /** An earlier run's JSON. */
  compare?: string;
  /** Where this run's JSON goes; into the data folder without. */
  out?: string;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/**
 * Measure what is named, ours and stock in turn, and print it. Progress goes to standard error, the result to standard
 * output. Throws `BenchError`, and what bringing the guest throws.
 */
export async function runBench(run: BenchRun): Promise<void> {
  const { stdout, stderr } = run;
  const earlier = run.compare === undefined ? undefined : await readEarlierRun(run.compare);
  const figures = await measureAll(run);

  const json = `${JSON.stringify(figures, null, 2)}\n`;
  const path = run.out ?? newResultPath(benchFolder(run.env), new Date());
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, json);

  const comparison = earlier ? `${comparisonTable(figures, earlier)}\n` : "";
  if (run.json) stdout.write(json);
  else stdout.write(`${figuresTable(figures)}\n${comparison && `\n${comparison}`}`);
  // Standard output is one JSON array then, for programs.
  if (run.json) stderr.write(comparison);
  stderr.write(`Written to ${path}, for --compare of a later run.\n`);
}

/** Nothing of stock's runs in them. */
const WITHOUT_STOCK: readonly BenchName[] = ["turn-overhead", "net-parallel"];
/** Stock boots in it. */
const FROM_POWER_ON: BenchName = "cold-boot";

async function measureAll(run: BenchRun): Promise<Figure[]> {
  // "net" has what "net-up" names, too.
  const wanted = new Set(run.names.flatMap((name) => cases[name]));
  const purposes = run.names.includes("turn-overhead") ? (["service"] as const) : [];
  const found: { guest?: Guest; stock?: Partial<StockBase> } = {};
  const figures: Figure[] = [];
  const steps = await guestSteps({ ...run, purposes, install: true }, (guest) => {
    found.guest = guest;
  });
  const withStock = run.names.filter((name) => !WITHOUT_STOCK.includes(name));
  const hasStockBase = withStock.some((name) => name !== FROM_POWER_ON);
  // It takes a minute to make, once.
  const stockStep: Step = {
    title: hasStockBase ? "Base of the stock machine" : "Files of the stock machine",
    run: async (report) => {
      if (!found.guest) throw new Error("the guest comes first");
      const { image } = found.guest;
      const folder = benchFolder(run.env);
      const options = { image, memoryBytes: memoryBytes(machineConfig(run.env)), folder };
      found.stock = hasStockBase
        ? await stockBase({ ...options, signal: run.signal, onProgress: report })
        : await stockFromPowerOn(options);
      return undefined;
    },
  };
  if (withStock.length > 0) steps.push(stockStep);
  for (const what of wanted) {
    steps.push({
      title: `${what.name}, ${what.unit}`,
      run: async (report) => {
        if (!found.guest) throw new Error("the guest comes first");
        const reason = what.skippedBecause?.(run.env, run.root);
        if (reason !== undefined) return `skipped: ${reason}`;
        const figure = await measureOne(what, run, found.guest, found.stock, report);
        figures.push(figure);
        return briefly(figure);
      },
    });
  }
  await runSteps(steps, run);
  return figures;
}

/** In a folder of its own, with machines of its own, which are gone afterwards. */
async function measureOne(
  what: BenchCase,
  run: BenchRun,
  guest: Guest,
  stock: Partial<StockBase> | undefined,
  report: (detail: string) => void,
): Promise<Figure> {
  const lab = new Lab({
    ...run,
    guest,
    memoryBytes: memoryBytes(machineConfig(run.env)),
    stockBase: stock,
    folder: join(benchFolder(run.env), `run-${randomUUID().slice(0, 8)}`),
  });
  const nowMs = () => performance.now();
  try {
    report("getting ready");
    const begin = (side: SideName) => lab.only(side);
    return await measure(what, await what.prepare(lab), { ...run, nowMs, begin, report });
  } catch (error) {
    run.signal.throwIfAborted();
    throw error;
  } finally {
    await lab.close();
  }
}

function briefly({ ours, stock, ratio }: Figure): string {
  if (!stock) return `${ours.median}`;
  return `${ours.median}, stock ${stock.median}${ratio === null ? "" : `, ${ratio} times better`}`;
}

/** Where results and the stock machine's base are kept. */
export function benchFolder(env: Environment): string {
  return join(machineConfig(env).dataDir, "bench");
}

function newResultPath(folder: string, now: Date): string {
  const name = now.toISOString().replaceAll(":", "").slice(0, 17);
  return join(folder, "results", `${name}.json`);
}
