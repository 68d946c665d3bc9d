import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import { systemClock } from "../../workers/clock.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { MachineSlot } from "../../workers/machine-slot.ts";
import { openStore } from "../../workers/open-store.ts";
import { Sandboxes } from "../../workers/sandboxes.ts";
import { residentBytes } from "../bench/process-usage.ts";
import { randomFrom, seed } from "../machine/support/random.ts";
import { testGuest } from "../support/guest.ts";

/**
 * Many threads on one worker's machine, visited in a random order: a switch costs the same whichever thread it leads
 * to (in the long run, MOM_TEST_MANY=1000: p95 within twice the median), and a thread that sleeps takes no memory.
 */

const THREADS = Number(process.env.MOM_TEST_MANY ?? 60);
const MIN_VISITS = 120;
const THREAD_TIMEOUT_MS = 3_000;
const BYTES_PER_THREAD = 200_000;
/** Heaps breathe by as much. */
const BREATH_BYTES = 32 << 20;

test(`${THREADS} threads on one machine: any of them is back as soon as the others, and none takes memory`, {
  timeout: 60_000 + (THREADS + MIN_VISITS) * THREAD_TIMEOUT_MS,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "mom-many-"));
  const parameters = startParameters({ ...machineConfig(process.env), dataDir }, await testGuest());
  let started: Machine | undefined;
  const slot = new MachineSlot({
    startMachine: async () => {
      started = await Machine.start(parameters);
      return started;
    },
    clock: systemClock,
    log: pino({ level: "silent" }),
  });
  const { signal } = new AbortController();
  try {
    const { snapshots } = openStore({ kind: "disk" }, dataDir);
    const sandboxes = new Sandboxes(slot, snapshots, "owner");
    const machine = await slot.machine();
    const ids: string[] = [];
    const turn = async (thread: number, command: string): Promise<{ out: string; ms: number }> => {
      const startedMs = performance.now();
      const from = await sandboxes.find(ids[thread] ?? null);
      await sandboxes.enter(`${thread}`, from, signal);
      const ms = performance.now() - startedMs;
      const { stdout } = await machine.exec(command);
      const captured = await sandboxes.capture(machine, "turn", from);
      ids[thread] = (await sandboxes.keep(`${thread}`, captured, from)).id;
      return { out: Buffer.from(stdout).toString(), ms };
    };
    const resident = () => residentBytes(started?.pid) + residentBytes(process.pid);

    let before = 0;
    for (let thread = 0; thread < THREADS; thread++) {
      await turn(thread, `me=${thread}; echo $me >~/me`);
      if (thread === Math.floor(THREADS / 2)) before = resident();
    }
    const grownBytes = resident() - before;
    const random = randomFrom(seed);
    const times: number[] = [];
    for (let visit = 0; visit < Math.max(MIN_VISITS, THREADS); visit++) {
      const thread = Math.floor(random() * THREADS);
      const { out, ms } = await turn(thread, "echo $me $(<~/me)");
      expect(out, `seed ${seed}`).toBe(`${thread} ${thread}\n`);
      times.push(ms);
    }
    times.sort((a, b) => a - b);
    const [median = 0, p95 = 0] = [0.5, 0.95].map((part) => times[Math.floor(times.length * part)]);
    console.log(
      `seed ${seed}: ${THREADS} threads, ${times.length} visits: resume ${median.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms; ${Math.round(grownBytes / (THREADS / 2) / 1_000)} KB a thread more`,
    );
    expect(grownBytes).toBeLessThan((THREADS / 2) * BYTES_PER_THREAD + BREATH_BYTES);
    // Of many threads only: a few visits on a busy host say nothing.
    if (process.env.MOM_TEST_MANY !== undefined) expect(p95).toBeLessThan(2 * median);
  } finally {
    await slot.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
