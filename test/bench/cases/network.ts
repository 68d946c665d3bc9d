import { BenchError } from "../errors.ts";
import { summarize } from "../figures.ts";
import { type Lab, succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";
import { buildClient } from "../net/client.ts";
import { startBenchServer } from "../net/server.ts";
import { cpuMs } from "../process-usage.ts";

/**
 * The guest's network: ours by the relay, stock by v86's `fetch` network at MTU 1500, with V8 set as for ours so that
 * only the networks differ. Times are the guest's own, from connect to the last byte.
 */

const MB = 1_000_000;
const OUR_BYTES = 20 * MB;
/** It would take a minute. */
const STOCK_BYTES = 4 * MB;
const CONNECTS = 40;
const PARALLEL = 200;
/** So many that the bytes count, and not the connects alone. */
const PARALLEL_BYTES = 100 * MB;
const STOCK_NETWORK =
  "ip link set eth0 up && ip addr add 192.168.86.100/24 dev eth0 && ip route add default via 192.168.86.1";

/** A guest with its way to the server, and how it runs a command. */
interface Side {
  bytes: number;
  /** Where the server is for a program that takes an address, as hexadecimal, and a port. */
  address: string;
  port: number;
  /** What the request's `Host` must be. */
  host: string;
  url: string;
  /** Of the machine's process. */
  pid: number | undefined;
  /** What the command printed. */
  run(command: string): Promise<string>;
}

async function ourSide(lab: Lab): Promise<Side> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  const machine = await lab.startOurs({ hostPorts: [server.port] });
  await machine.writeFile("/root/client", await buildClient(await lab.makeFolder("client")));
  await succeed(machine, "chmod +x client");
  return {
    bytes: OUR_BYTES,
    pid: machine.pid,
    address: "0a000202",
    port: server.port,
    host: "10.0.2.2",
    url: `http://10.0.2.2:${server.port}`,
    run: async (command) => Buffer.from((await succeed(machine, command)).stdout).toString(),
  };
}

async function stockSide(lab: Lab): Promise<Side> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  const machine = await lab.startStock({ twoPhase: true, network: true });
  await machine.run(STOCK_NETWORK);
  const client = Buffer.from(await buildClient(await lab.makeFolder("client")));
  // A terminal takes 4,000 bytes a line.
  for (const part of client.toString("base64").match(/.{1,1000}/g) ?? []) {
    await machine.run(`echo ${part} >>client.txt`);
  }
  await machine.run("base64 -d <client.txt >client && chmod +x client");
  return {
    bytes: STOCK_BYTES,
    pid: machine.pid,
    address: "c0a85601",
    port: 80,
    // v86's fetch network takes it for this port of the host.
    host: `${server.port}.external`,
    url: "http://192.168.86.1",
    run: async (command) => (await machine.run(command)).text,
  };
}

function networkCase(
  name: string,
  unit: string,
  better: BenchCase["better"],
  once: (side: Side) => Promise<number>,
): BenchCase {
  return {
    name,
    unit,
    better,
    async prepare(lab) {
      const ours = await ourSide(lab);
      const stock = await stockSide(lab);
      // Code that was never run is not compiled yet.
      await once({ ...ours, bytes: MB });
      await once({ ...stock, bytes: MB / 4 });
      return { ours: () => once(ours), stock: () => once(stock) };
    },
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

const netConnect = networkCase("net-connect", "ms", "less", async (side) => {
  const request = `GET /1 HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
  const us = await timesOf(side, "connect", request, CONNECTS);
  return summarize(us).median / 1_000;
});

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
const netParallel: BenchCase = {
  name: "net-parallel",
  unit: "% of one",
  better: "more",
  async prepare(lab) {
    const side = await ourSide(lab);
    const request = (bytes: number) => `GET /${bytes} HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
    const one = () => timesOf(side, "down", request(PARALLEL_BYTES));
    const all = () => {
      const bytes = PARALLEL_BYTES / PARALLEL;
      return timesOf(side, "many", request(bytes), `${bytes} ${PARALLEL}`);
    };
    await one();
    await all();
    return {
      async ours() {
        const [alone = 0] = await one();
        const [together = 0] = await all();
        return (alone / together) * 100;
      },
    };
  },
};

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

export const network: readonly BenchCase[] = [
  networkCase("net-down", "MB/s", "more", down),
  networkCase("net-up", "MB/s", "more", up),
  networkCase("net-down-raw", "MB/s", "more", downRaw),
  networkCase("net-up-raw", "MB/s", "more", upRaw),
  netConnect,
  netParallel,
  cpuCase("net-cpu-down", downRaw),
  cpuCase("net-cpu-up", upRaw),
];
