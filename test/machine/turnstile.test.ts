import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turnstile } from "../../workers/machine/turnstile.ts";

test("one at a time, in the order of coming, however long each takes", async () => {
  const turnstile = new Turnstile();
  const seen: string[] = [];
  let inside = 0;
  const visit = (name: string, ms: number) =>
    turnstile.pass(async () => {
      expect(++inside).toBe(1);
      seen.push(name);
      await sleep(ms);
      inside--;
      return name;
    });
  expect(await Promise.all([visit("a", 20), visit("b", 0), visit("c", 5)])).toEqual([
    "a",
    "b",
    "c",
  ]);
  expect(seen).toEqual(["a", "b", "c"]);
});

test("a failure is told to whom it belongs, and the next goes through", async () => {
  const turnstile = new Turnstile();
  const failing = turnstile.pass(async () => {
    throw new Error("mine");
  });
  const next = turnstile.pass(async () => "through");
  await expect(failing).rejects.toThrow("mine");
  expect(await next).toBe("through");
});
