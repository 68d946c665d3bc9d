import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import v8 from "node:v8";
import { runInNewContext } from "node:vm";
import { pino } from "pino";
import { expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";
import { systemClock } from "../../workers/clock.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { MachineSlot } from "../../workers/machine-slot.ts";
import { openStore } from "../../workers/open-store.ts";
import { Sandboxes } from "../../workers/sandboxes.ts";
import { cpuMs, residentBytes } from "../bench/process-usage.ts";
import { testGuest } from "../support/guest.ts";
import { randomFrom, seed } from "../support/random.ts";

/**
 * Many threads on one worker's machine, visited in a random order: a switch costs the same whichever thread it leads
 * to, and a thread that sleeps takes no memory. MOM_TEST_MANY=1000 is the long run.
 */

const THREADS = Number(process.env.MOM_TEST_MANY ?? 60);
const MIN_VISITS = 80;
const THREAD_TIMEOUT_MS = 3_000;
const BYTES_PER_THREAD = 200_000;
/** A machine's process grows with its first hundred turns, whosever they are: code is compiled, and pages of the guest touched. */
const SETTLING_TURNS = 70;
/** It goes on growing a little, and its heap breathes; of this process what is garbage is taken out first. */
const BREATH_BYTES = 16 << 20;
const OWN_BREATH_BYTES = 4 << 20;

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
    const cpu = () => cpuMs(started?.pid) + cpuMs(process.pid);
    const turn = async (thread: number, command: string) => {
      const cpuBefore = cpu();
      const startedMs = performance.now();
      const from = await sandboxes.find(ids[thread] ?? null);
      await sandboxes.enter(`${thread}`, from, signal);
      const resume = { ms: performance.now() - startedMs, cpuMs: cpu() - cpuBefore };
      const { stdout } = await machine.exec(command);
      const captured = await sandboxes.capture(machine, "turn", from);
      ids[thread] = (await sandboxes.keep(`${thread}`, captured, from)).id;
      return { out: Buffer.from(stdout).toString(), resume };
    };

    const half = Math.ceil(THREADS / 2);
    const begin = (thread: number) => turn(thread, `me=${thread}; echo $me >~/me`);
    const visit = (thread: number) => turn(thread, "echo $me $(<~/me)");
    for (let thread = 0; thread < half; thread++) await begin(thread);
    for (let again = 0; again < SETTLING_TURNS; again++) await visit(again % half);
    const before = { machine: residentBytes(started?.pid), own: heldBytes() };
    for (let thread = half; thread < THREADS; thread++) await begin(thread);
    const grownBytes = residentBytes(started?.pid) - before.machine;
    const ownGrownBytes = heldBytes() - before.own;

    const random = randomFrom(seed);
    const resumes: { ms: number; cpuMs: number }[] = [];
    for (let count = 0; count < Math.max(MIN_VISITS, THREADS); count++) {
      const thread = Math.floor(random() * THREADS);
      const { out, resume } = await visit(thread);
      expect(out, `seed ${seed}`).toBe(`${thread} ${thread}\n`);
      resumes.push(resume);
    }
    const time = spread(resumes.map(({ ms }) => ms));
    const work = spread(resumes.map(({ cpuMs: ms }) => ms));
    console.log(
      `seed ${seed}: ${THREADS} threads, ${resumes.length} visits: resume ${time.median.toFixed(1)} ms, p95 ${time.p95.toFixed(1)} ms; its processor time ${work.median.toFixed(1)} ms, p95 ${work.p95.toFixed(1)} ms; ${perThread(grownBytes)} KB a thread more, and ${perThread(ownGrownBytes)} here`,
    );
    expect(grownBytes + ownGrownBytes).toBeLessThan(half * BYTES_PER_THREAD + BREATH_BYTES);
    expect(ownGrownBytes).toBeLessThan(half * BYTES_PER_THREAD + OWN_BREATH_BYTES);
    // The processor's time, which counts little of what else the host does; p95 within twice the median is the aim.
    expect(work.p95).toBeLessThan(4 * work.median);
  } finally {
    await slot.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});

const perThread = (bytes: number) => Math.round(bytes / (THREADS / 2) / 1_000);

/** What this process holds and is not garbage. */
function heldBytes(): number {
  v8.setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function spread(values: readonly number[]): { median: number; p95: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
  return { median: at(0.5), p95: at(0.95) };
}
