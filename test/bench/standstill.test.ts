import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { Standstill } from "./standstill.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function sleeper() {
  const child = spawn("sleep", ["100"]);
  children.push(child);
  return {
    child,
    pid: child.pid,
    get isDead() {
      return child.exitCode !== null || child.signalCode !== null;
    },
  };
}

/** proc_pid_stat(5): T where it was stopped. */
const isStopped = (pid: number | undefined): boolean =>
  /\) T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

test("one side stands still while the other runs, and at the end neither does", async () => {
  const [ours, stock, later] = [sleeper(), sleeper(), sleeper()];
  const standstill = new Standstill();
  standstill.add("ours", ours);
  standstill.add("stock", stock);
  standstill.only("ours");
  standstill.add("stock", later);
  await expect.poll(() => [isStopped(ours.pid), isStopped(stock.pid)]).toEqual([false, true]);
  expect(isStopped(later.pid), "what has just begun").toBe(false);
  standstill.only("stock");
  await expect.poll(() => [isStopped(ours.pid), isStopped(stock.pid)]).toEqual([true, false]);
  standstill.end();
  await expect.poll(() => isStopped(ours.pid)).toBe(false);
});

test("a process that has ended is left alone", async () => {
  const ours = sleeper();
  const standstill = new Standstill();
  standstill.add("ours", ours);
  ours.child.kill("SIGKILL");
  await once(ours.child, "exit");
  expect(() => standstill.only("stock")).not.toThrow();
});
