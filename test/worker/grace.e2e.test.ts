import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { cpuMs } from "../bench/process-usage.ts";
import { testGuest } from "../support/guest.ts";
import { blockText, Harness } from "./harness.ts";

/** Programs that a turn leaves in the background of a real guest. */

const GRACE_MS = 4_000;
const IDLE_MS = 10_000;
/** Of 10 s: what the machine's process needs to answer that it is there. */
const IDLE_CPU_MS = 100;

let harness: Harness;
let machine: Machine;

beforeAll(async () => {
  const guest = await testGuest();
  harness = await Harness.start();
  await harness.worker({
    config: { ...harness.config, graceMs: GRACE_MS },
    startMachine: async () => {
      machine = await Machine.start(startParameters(harness.config.machine, guest));
      return machine;
    },
    timing: {},
  });
});
afterAll(() => harness.close());

async function idleCpuMs(): Promise<number> {
  const before = cpuMs(machine.pid);
  await sleep(IDLE_MS);
  return cpuMs(machine.pid) - before;
}

test("they go on for the grace time, then sleep, and go on with the thread's next turn", async () => {
  const root = await harness.root();
  const turn = await harness.command(
    root,
    "(i=0; while :; do echo $((i++)) >>~/log; sleep 0.05; done) & sleep 0.2; wc -l <log >first",
  );
  const { snapshotAfter } = await harness.closed(turn, 120_000);
  const head = async () => (await harness.queue.lineage(turn.thread)).steps.at(-1)?.snapshot;
  await expect.poll(head, { timeout: 60_000 }).not.toBe(snapshotAfter);
  expect(await idleCpuMs()).toBeLessThanOrEqual(IDLE_CPU_MS);
  // Another thread has the machine, and the sleepers come back from what was saved.
  await harness.ask(await harness.root(), "true");
  const { messages } = await harness.ask(
    root,
    `woken=$(wc -l <log)
    until [ $(wc -l <log) -gt $woken ]; do sleep 0.1; done
    kill -STOP %1; seq 0 $(($(wc -l <log) - 1)) | cmp - log && echo whole; cat first; echo $woken`,
  );
  const [, first, woken] = /whole\n(\d+)\n(\d+)/.exec(blockText(messages[0])) ?? [];
  expect(Number(woken)).toBeGreaterThan(Number(first));
});

test("a machine whose thread left nothing behind uses no processor", async () => {
  await harness.ask(await harness.root(), "echo hi");
  await sleep(500);
  expect(await idleCpuMs()).toBeLessThanOrEqual(IDLE_CPU_MS);
});
