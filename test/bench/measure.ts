import type { Environment } from "../../src/config/environment.ts";
import { type Better, type Figure, figureOf } from "./figures.ts";
import type { Lab } from "./lab.ts";
import type { SideName } from "./standstill.ts";

/** One thing to measure on both sides. */
export interface BenchCase {
  name: string;
  unit: string;
  better: Better;
  prepare(lab: Lab): Promise<Contest>;
  /** Why it cannot be measured here: then there is no figure. */
  skippedBecause?(env: Environment, root: string): string | undefined;
}

/** Both sides, ready: each call is one run and gives its figure. */
export interface Contest {
  ours(): Promise<number>;
  /** Absent where v86 alone has nothing like it. */
  stock?(): Promise<number>;
}

/** A side whose run takes longer makes fewer of them, so that the whole table stays within a quarter of an hour. */
const LONG_RUN_MS = 20_000;
const LONG_RUNS = 3;

interface Side {
  title: SideName;
  run(): Promise<number>;
  values: number[];
  wanted: number;
}

/**
 * Run both sides in turn, so that what else goes on in this computer meets both; who begins changes, too.
 */
export async function measure(
  what: Pick<BenchCase, "name" | "unit" | "better">,
  contest: Contest,
  options: {
    runs: number;
    nowMs(): number;
    /** A run of this side comes. */
    begin(side: SideName): void;
    report(detail: string): void;
    signal: AbortSignal;
  },
): Promise<Figure> {
  const { runs, nowMs, begin, report, signal } = options;
  const side = (title: Side["title"], run: () => Promise<number>): Side => ({
    title,
    run,
    values: [],
    wanted: runs,
  });
  const ours = side("ours", () => contest.ours());
  const { stock: runStock } = contest;
  const stock = runStock && side("stock", () => runStock.call(contest));
  for (let round = 0; round < runs; round++) {
    const sides = stock ? [ours, stock] : [ours];
    for (const one of round % 2 === 0 ? sides : sides.toReversed()) {
      if (one.values.length >= one.wanted) continue;
      signal.throwIfAborted();
      report(`run ${round + 1} of ${one.wanted}, ${one.title}${soFar(one.values, what.unit)}`);
      begin(one.title);
      const startMs = nowMs();
      one.values.push(await one.run());
      if (nowMs() - startMs > LONG_RUN_MS) one.wanted = Math.min(runs, LONG_RUNS);
    }
  }
  return figureOf(what, ours.values, stock?.values);
}

function soFar(values: readonly number[], unit: string): string {
  const last = values.at(-1);
  return last === undefined ? "" : ` (last ${Number(last.toPrecision(3))} ${unit})`;
}
