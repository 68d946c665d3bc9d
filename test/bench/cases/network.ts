import { setTimeout as sleep } from "node:timers/promises";
import { BenchError } from "../errors.ts";
import { summarize } from "../figures.ts";
import type { Lab } from "../lab.ts";
import type { BenchCase } from "../measure.ts";
import { MB, ourSide, type Side, stockSide, wispSide } from "../net/sides.ts";
import { startSplitMachine } from "../net/split-machine.ts";
import { findWisp, NO_WISP } from "../net/wisp.ts";
import { cpuMs } from "../process-usage.ts";

/**
 * The guest's network: ours by the relay, stock by v86's `fetch` network at MTU 1500, with V8 set as for ours so that
 * only the networks differ. Times are the guest's own, from connect to the last byte.
 */

/** Code that ran little is not compiled yet: so often each side does as much as is measured then. */
const WARM_UPS = 8;
const CONNECTS = 40;
const PARALLEL = 200;
/** Before each transfer: sockets that close, buffers that go back and garbage of the one before are not this one's. */
const PARALLEL_PAUSE_MS = 300;
/** So many over all connections that the bytes count: making one costs as much as half a megabyte. */
const PARALLEL_BYTES = 1000 * MB;
const PARALLEL_WARM_UPS = 3;
/** What is fetched in small pieces, where the connects count as much. */
const SMALL_PARALLEL_BYTES = 100 * MB;
/** Of what connecting takes only a little runs each time. */
const SMALL_PARALLEL_WARM_UPS = 14;
const OUTSIDE_BYTES = 100 * MB;

function networkCase(
  name: string,
  unit: string,
  better: BenchCase["better"],
  once: (side: Side) => Promise<number>,
  otherSide: (lab: Lab) => Promise<Side> = stockSide,
): BenchCase {
  return {
    name,
    unit,
    better,
    async prepare(lab) {
      const ours = await ourSide(lab);
      const stock = await otherSide(lab);
      for (let time = 0; time < WARM_UPS; time++) {
        await once(ours);
        await once(stock);
      }
      return { ours: () => once(ours), stock: () => once(stock) };
    },
  };
}

/** The same, beside v86's `wisp` network and the server that it is mostly used with. */
function wispCase(...[name, unit, better, once]: Parameters<typeof networkCase>): BenchCase {
  return {
    ...networkCase(`${name}, wisp`, unit, better, once, wispSide),
    skippedBecause: (env, root) => (findWisp(env, root) === undefined ? NO_WISP : undefined),
  };
}

async function down({ run, url, host, bytes }: Side): Promise<number> {
  const said = await run(
    `curl -sS -o /dev/null -w '\\nmom %{speed_download}\\n' -H 'Host: ${host}' ${url}/${bytes}`,
  );
  return speedOf(said);
}

async function up({ run, url, host, bytes }: Side): Promise<number> {
  await run(
    `[ "$(stat -c %s /dev/shm/up 2>/dev/null)" = ${bytes} ] || head -c ${bytes} /dev/zero >/dev/shm/up`,
  );
  return speedOf(
    await run(
      `curl -sS -o /dev/null -w '\\nmom %{speed_upload}\\n' -H 'Host: ${host}' -H 'Expect:' -T /dev/shm/up ${url}/up`,
    ),
  );
}

function speedOf(said: string): number {
  const [, speed] = /^mom ([\d.]+)\r?$/m.exec(said) ?? [];
  if (speed === undefined) throw new BenchError("COMMAND_FAILED", `curl said: ${said}`);
  return Number(speed) / MB;
}

async function downRaw(side: Side): Promise<number> {
  const request = `GET /${side.bytes} HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
  const [us = 0] = await timesOf(side, "down", request);
  return side.bytes / us;
}

async function upRaw(side: Side): Promise<number> {
  const length = `Content-Length: ${side.bytes}\\r\\nConnection: close`;
  const request = `POST / HTTP/1.1\\r\\nHost: ${side.host}\\r\\n${length}\\r\\n\\r\\n`;
  const [us = 0] = await timesOf(side, "up", request, side.bytes);
  return side.bytes / us;
}

async function connect(side: Side): Promise<number> {
  const request = `GET /1 HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
  const us = await timesOf(side, "connect", request, CONNECTS);
  return summarize(us).median / 1_000;
}

/** What the small client printed. */
async function timesOf(
  { run, address, port }: Side,
  mode: string,
  request: string,
  amount: number | string = 1,
): Promise<number[]> {
  const said = await run(`./client ${mode} ${address} ${port} $'${request}' ${amount}`);
  const times = said.match(/^\d+\r?$/gm)?.map(Number) ?? [];
  if (times.length === 0) throw new BenchError("COMMAND_FAILED", `the client said: ${said}`);
  return times;
}

/** 200 connections at once, all bytes of all of them, as a share of what one alone does. */
function parallelCase(name: string, total: number, warmUps: number): BenchCase {
  return {
    name,
    unit: "% of one",
    better: "more",
    async prepare(lab) {
      const side = await ourSide(lab);
      const request = (bytes: number) =>
        `GET /${bytes} HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
      const pause = () => sleep(PARALLEL_PAUSE_MS, undefined, { signal: lab.signal });
      const one = async () => {
        await pause();
        return timesOf(side, "down", request(total));
      };
      const all = async () => {
        await pause();
        const bytes = total / PARALLEL;
        return timesOf(side, "many", request(bytes), `${bytes} ${PARALLEL}`);
      };
      for (let time = 0; time < warmUps; time++) {
        await one();
        await all();
      }
      return {
        async ours() {
          const [alone = 0] = await one();
          const [together = 0] = await all();
          return (alone / together) * 100;
        },
      };
    },
  };
}

/** Processor time of the machine's process, the guest's work included: it does not depend on what else goes on. */
function cpuCase(name: string, way: (side: Side) => Promise<number>): BenchCase {
  return {
    ...networkCase(name, "ms a MB", "less", async (side) => {
      const before = cpuMs(side.pid);
      await way(side);
      return (cpuMs(side.pid) - before) / (side.bytes / MB);
    }),
  };
}

/**
 * Processor time of the machine's process that is not the emulator's: what relay, card, sockets and their garbage
 * cost. It is that of the whole process, less what passes in v86's main loop.
 */
function outsideCase(name: string, way: (side: Side) => Promise<number>): BenchCase {
  return {
    name,
    unit: "ms a MB",
    better: "less",
    async prepare(lab) {
      const { side, outsideMs } = await startSplitMachine(lab);
      const large = { ...side, bytes: OUTSIDE_BYTES };
      for (let time = 0; time < WARM_UPS; time++) await way(large);
      return {
        async ours() {
          const before = await outsideMs();
          await way(large);
          return ((await outsideMs()) - before) / (OUTSIDE_BYTES / MB);
        },
      };
    },
  };
}

export const network: readonly BenchCase[] = [
  networkCase("net-down", "MB/s", "more", down),
  networkCase("net-up", "MB/s", "more", up),
  networkCase("net-down-raw", "MB/s", "more", downRaw),
  networkCase("net-up-raw", "MB/s", "more", upRaw),
  networkCase("net-connect", "ms", "less", connect),
  parallelCase("net-parallel", PARALLEL_BYTES, PARALLEL_WARM_UPS),
  parallelCase("net-parallel, small", SMALL_PARALLEL_BYTES, SMALL_PARALLEL_WARM_UPS),
  cpuCase("net-cpu-down", downRaw),
  cpuCase("net-cpu-up", upRaw),
  outsideCase("net-cpu-down, outside", downRaw),
  outsideCase("net-cpu-up, outside", upRaw),
  wispCase("net-down", "MB/s", "more", down),
  wispCase("net-up", "MB/s", "more", up),
  wispCase("net-down-raw", "MB/s", "more", downRaw),
  wispCase("net-up-raw", "MB/s", "more", upRaw),
  wispCase("net-connect", "ms", "less", connect),
];
