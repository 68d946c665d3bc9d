import type { Figure, Summary } from "./figures.ts";

/** The figures for a person: a line each, columns aligned. */
export function figuresTable(figures: readonly Figure[]): string {
  return aligned([
    ["name", "unit", "ours", "(min–max, runs)", "stock", "(min–max, runs)", "ratio"],
    ...figures.map(({ name, unit, ours, stock, ratio }) => [
      name,
      unit,
      shown(ours.median),
      spread(ours),
      stock ? shown(stock.median) : "–",
      stock ? spread(stock) : "",
      shownRatio(ratio, stock),
    ]),
  ]);
}

/** These figures beside those of an earlier run. What only one of the two has is left out. */
export function comparisonTable(figures: readonly Figure[], earlier: readonly Figure[]): string {
  const rows = figures.flatMap((now) => {
    const before = earlier.find(({ name, unit }) => name === now.name && unit === now.unit);
    if (!before) return [];
    return [
      [
        now.name,
        now.unit,
        shown(before.ours.median),
        shown(now.ours.median),
        change(before.ours.median, now.ours.median),
        shownRatio(before.ratio, before.stock),
        shownRatio(now.ratio, now.stock),
      ],
    ];
  });
  if (rows.length === 0) return "The earlier run has none of these figures.";
  return aligned([
    ["name", "unit", "ours before", "ours now", "change", "ratio before", "ratio now"],
    ...rows,
  ]);
}

function change(before: number, now: number): string {
  if (before === now) return "±0 %";
  if (before === 0) return "–";
  const percent = ((now - before) / before) * 100;
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} %`;
}

function spread({ min, max, runs }: Summary): string {
  return `(${shown(min)}–${shown(max)}, ${runs})`;
}

function shownRatio(ratio: number | null, stock: Summary | null): string {
  if (stock === null) return "–";
  return ratio === null ? "∞" : `${shown(ratio)}×`;
}

function shown(value: number): string {
  if (Number.isInteger(value) && value >= 10_000) return value.toLocaleString("en");
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column < 2 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
