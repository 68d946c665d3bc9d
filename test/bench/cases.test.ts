import { expect, test } from "vitest";
import { cases } from "./cases/index.ts";
import { extraNames, netNames, tableNames } from "./names.ts";

test("each name of a figure measures that figure, and no two measure the same", () => {
  for (const name of [...tableNames, "waiting-cpu", ...netNames] as const) {
    expect(cases[name].length, name).toBeGreaterThan(0);
    for (const what of cases[name]) expect(what.name.split(", ")[0]).toBe(name);
  }
  const all = [...tableNames, ...extraNames].flatMap((name) => cases[name]);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

test("the network's figures are all there by their own names", () => {
  expect(new Set(netNames.flatMap((name) => cases[name]))).toEqual(new Set(cases.net));
});
