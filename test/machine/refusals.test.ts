import { expect, test } from "vitest";
import { Refusals } from "../../workers/machine/refusals.ts";

const mail = { protocol: "tcp", target: "192.0.2.1:25", reason: "mail" };

test("the same refusal is told once, with how often it was", () => {
  const refusals = new Refusals();
  refusals.add(mail);
  refusals.add(mail);
  refusals.add({ ...mail, reason: "rule" });
  expect(refusals.take()).toEqual([
    { ...mail, count: 2 },
    { ...mail, reason: "rule", count: 1 },
  ]);
  expect(refusals.take()).toEqual([]);
});

test("a guest that knocks everywhere fills no log: the rest is counted by reason", () => {
  const refusals = new Refusals();
  for (let port = 1; port <= 10_000; port++) {
    refusals.add({ protocol: "tcp", target: `10.0.0.1:${port}`, reason: "private" });
  }
  const told = refusals.take();
  expect(told).toHaveLength(33);
  expect(told.at(-1)).toEqual({
    protocol: "tcp",
    target: "others",
    reason: "private",
    count: 10_000 - 32,
  });
});
