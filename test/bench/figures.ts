import { z } from "zod";

const summarySchema = z.object({
  median: z.number(),
  min: z.number(),
  max: z.number(),
  runs: z.number().int().positive(),
});

/** One line of the table, as it stands in the JSON. */
export const figureSchema = z.object({
  name: z.string(),
  unit: z.string(),
  ours: summarySchema,
  /** `null` where v86 alone has nothing like it. */
  stock: summarySchema.nullable(),
  /** How many times better than stock our median is, whichever way is better; `null` without one to divide by. */
  ratio: z.number().nullable(),
});

export type Summary = z.infer<typeof summarySchema>;
export type Figure = z.infer<typeof figureSchema>;

export type Better = "less" | "more";

export function figureOf(
  what: { name: string; unit: string; better: Better },
  ours: readonly number[],
  stock: readonly number[] | undefined,
): Figure {
  const summaries = { ours: summarize(ours), stock: stock ? summarize(stock) : null };
  return { name: what.name, unit: what.unit, ...summaries, ratio: ratioOf(summaries, what.better) };
}

/** Of at least one value; an even number of them has the mean of the middle two for a median. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError("nothing was measured");
  return {
    median: rounded((lower + upper) / 2),
    min: rounded(sorted[0] ?? lower),
    max: rounded(sorted.at(-1) ?? upper),
    runs: sorted.length,
  };
}

function ratioOf(
  { ours, stock }: { ours: Summary; stock: Summary | null },
  better: Better,
): number | null {
  if (stock === null) return null;
  const [above, below] =
    better === "less" ? [stock.median, ours.median] : [ours.median, stock.median];
  return below === 0 ? null : rounded(above / below);
}

/** Four digits are more than any of it is exact to. */
function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));
}
