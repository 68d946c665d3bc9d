import { describe, expect, test } from "vitest";
import { measure } from "./measure.ts";

const what = { name: "echo", unit: "ms", better: "less" } as const;

/** A contest on a clock of its own, which notes who ran. */
function contest(ourMs: number, stockMs: number) {
  const clock = { ms: 0 };
  const order: string[] = [];
  const reports: string[] = [];
  const side = (name: string, ms: number) => async () => {
    order.push(name);
    clock.ms += ms;
    return ms;
  };
  const run = (runs: number, signal = new AbortController().signal) =>
    measure(
      what,
      { ours: side("ours", ourMs), stock: side("stock", stockMs) },
      {
        runs,
        nowMs: () => clock.ms,
        begin: (name) => order.push(`only ${name}`),
        report: (detail) => reports.push(detail),
        signal,
      },
    );
  return { order, reports, run };
}

describe("measuring", () => {
  test("takes both sides in turn, and who begins changes", async () => {
    const { order, run } = contest(1, 2);
    await run(3);
    const turns = ["ours", "stock", "stock", "ours", "ours", "stock"];
    expect(order).toEqual(turns.flatMap((name) => [`only ${name}`, name]));
  });

  test("gives a side three runs whose run takes over 20 s, and the other all of them", async () => {
    const { order, run } = contest(1, 20_001);
    const { ours, stock } = await run(5);
    expect(ours.runs).toBe(5);
    expect(stock?.runs).toBe(3);
    expect(order.filter((name) => !name.startsWith("only"))).toHaveLength(8);
  });

  test("makes no more long runs than were asked for", async () => {
    expect((await contest(20_001, 20_001).run(1)).ours.runs).toBe(1);
  });

  test("tells which run of which side goes on, and what the last one gave", async () => {
    const { reports, run } = contest(1, 2);
    await run(2);
    expect(reports).toEqual([
      "run 1 of 2, ours",
      "run 1 of 2, stock",
      "run 2 of 2, stock (last 2 ms)",
      "run 2 of 2, ours (last 1 ms)",
    ]);
  });

  test("stops between two runs when it is told to", async () => {
    const stopping = new AbortController();
    const { order, run } = contest(1, 2);
    stopping.abort(new Error("stopped"));
    await expect(run(3, stopping.signal)).rejects.toThrow("stopped");
    expect(order).toEqual([]);
  });

  test("works with one side alone", async () => {
    const figure = await measure(
      what,
      { ours: async () => 5 },
      {
        runs: 2,
        nowMs: () => 0,
        begin: () => {},
        report: () => {},
        signal: new AbortController().signal,
      },
    );
    expect(figure).toMatchObject({ ours: { median: 5, runs: 2 }, stock: null, ratio: null });
  });
});
