import { setTimeout as sleep } from "node:timers/promises";
import { summarize } from "../figures.ts";
import { type Lab, succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";

const ECHO = "echo hi";
const ECHOES = 20;
const UNMEASURED = 5;
/** A person's commands come one by one: both shells have come to rest before the next. */
const REST_MS = 50;

/** A command that does nothing, there and back. One run is the median of twenty. */
export const echo: BenchCase = {
  name: "echo",
  unit: "ms",
  better: "less",
  async prepare(lab) {
    const ours = await lab.startOurs({ isWarm: true });
    const stock = await lab.startStock();
    const oursOnce = async () => {
      await sleep(REST_MS, undefined, { signal: lab.signal });
      const startMs = performance.now();
      await succeed(ours, ECHO);
      return performance.now() - startMs;
    };
    const stockOnce = async () => {
      await sleep(REST_MS, undefined, { signal: lab.signal });
      return (await stock.run(ECHO, { staysAwake: true })).ms;
    };
    for (let i = 0; i < UNMEASURED; i++) {
      await oursOnce();
      await stockOnce();
    }
    return {
      ours: () => medianOf(ECHOES, oursOnce),
      async stock() {
        const ms = await medianOf(ECHOES, stockOnce);
        // Asleep from here on, so that it takes no time from the other.
        await stock.run(ECHO);
        return ms;
      },
    };
  },
};

const MB = 1e6;
/** Long enough that starting `head` does not show. */
const STREAM_SECONDS = 2;
const MAX_STREAM_BYTES = 256 * MB;
const OUR_TRIAL_BYTES = 4 * MB;
const STOCK_TRIAL_BYTES = 0.1 * MB;

/** Standard output of one command, from its start to its end. */
export const outputStream: BenchCase = {
  name: "output-stream",
  unit: "MB/s",
  better: "more",
  async prepare(lab) {
    const ours = await ourStream(lab);
    const stock = await stockStream(lab);
    const ourBytes = bytesFor(await ours(OUR_TRIAL_BYTES), OUR_TRIAL_BYTES);
    const stockBytes = bytesFor(await stock(STOCK_TRIAL_BYTES), STOCK_TRIAL_BYTES);
    return { ours: () => ours(ourBytes), stock: () => stock(stockBytes) };
  },
};

async function ourStream(lab: Lab): Promise<(bytes: number) => Promise<number>> {
  const machine = await lab.startOurs({ isWarm: true });
  return async (bytes) => {
    const startMs = performance.now();
    const { stdout } = await succeed(machine, zeros(bytes), { maxOutputBytes: bytes });
    const ms = performance.now() - startMs;
    if (stdout.length !== bytes) throw new Error(`${stdout.length} of ${bytes} bytes came`);
    return bytes / MB / (ms / 1_000);
  };
}

async function stockStream(lab: Lab): Promise<(bytes: number) => Promise<number>> {
  const machine = await lab.startStock();
  return async (bytes) => bytes / MB / ((await machine.run(zeros(bytes))).ms / 1_000);
}

function zeros(bytes: number): string {
  return `head -c ${bytes} /dev/zero`;
}

function bytesFor(mbPerSecond: number, atLeast: number): number {
  const bytes = Math.round(mbPerSecond * STREAM_SECONDS) * MB;
  return Math.min(Math.max(bytes, atLeast), MAX_STREAM_BYTES);
}

async function medianOf(count: number, once: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) values.push(await once());
  return summarize(values).median;
}
