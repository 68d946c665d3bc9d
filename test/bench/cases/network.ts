import { BenchError } from "../errors.ts";
import { summarize } from "../figures.ts";
import { type Lab, succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";
import { buildClient } from "../net/client.ts";
import { startBenchServer } from "../net/server.ts";

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
const PARALLEL_BYTES = MB / 10;
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

const netDown = networkCase("net-down", "MB/s", "more", async ({ run, url, host, bytes }) =>
  speedOf(
    await run(
      `curl -sS -o /dev/null -w '\\nmom %{speed_download}\\n' -H 'Host: ${host}' ${url}/${bytes}`,
    ),
  ),
);

const netUp = networkCase("net-up", "MB/s", "more", async ({ run, url, host, bytes }) => {
  await run(
    `[ "$(stat -c %s /dev/shm/up 2>/dev/null)" = ${bytes} ] || head -c ${bytes} /dev/zero >/dev/shm/up`,
  );
  return speedOf(
    await run(
      `curl -sS -o /dev/null -w '\\nmom %{speed_upload}\\n' -H 'Host: ${host}' -H 'Expect:' -T /dev/shm/up ${url}/up`,
    ),
  );
});

function speedOf(said: string): number {
  const [, speed] = /^mom ([\d.]+)\r?$/m.exec(said) ?? [];
  if (speed === undefined) throw new BenchError("COMMAND_FAILED", `curl said: ${said}`);
  return Number(speed) / MB;
}

const netDownRaw = networkCase("net-down-raw", "MB/s", "more", async (side) => {
  const request = `GET /${side.bytes} HTTP/1.1\\r\\nHost: ${side.host}\\r\\n\\r\\n`;
  const [us = 0] = await timesOf(side, "down", request);
  return side.bytes / us;
});

const netUpRaw = networkCase("net-up-raw", "MB/s", "more", async (side) => {
  const length = `Content-Length: ${side.bytes}\\r\\nConnection: close`;
  const request = `POST / HTTP/1.1\\r\\nHost: ${side.host}\\r\\n${length}\\r\\n\\r\\n`;
  const [us = 0] = await timesOf(side, "up", request, side.bytes);
  return side.bytes / us;
});

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
  amount = 1,
): Promise<number[]> {
  const said = await run(`./client ${mode} ${address} ${port} $'${request}' ${amount}`);
  const times = said.match(/^\d+\r?$/gm)?.map(Number) ?? [];
  if (times.length === 0) throw new BenchError("COMMAND_FAILED", `the client said: ${said}`);
  return times;
}

/** 200 connections at once, all bytes of all of them. */
const netParallel: BenchCase = {
  name: "net-parallel",
  unit: "MB/s",
  better: "more",
  async prepare(lab) {
    const { run, url } = await ourSide(lab);
    return {
      async ours() {
        const startMs = performance.now();
        const said = await run(
          `rm -rf /dev/shm/all; mkdir /dev/shm/all; curl -sS -Z --parallel-immediate --parallel-max ${PARALLEL} -o '/dev/shm/all/#1' '${url}/${PARALLEL_BYTES}?[1-${PARALLEL}]'; cat /dev/shm/all/* | wc -c`,
        );
        if (Number(said) !== PARALLEL * PARALLEL_BYTES) {
          throw new BenchError("COMMAND_FAILED", `${said.trim()} bytes came`);
        }
        return (PARALLEL * PARALLEL_BYTES) / 1_000 / (performance.now() - startMs);
      },
    };
  },
};

export const network: readonly BenchCase[] = [
  netDown,
  netUp,
  netDownRaw,
  netUpRaw,
  netConnect,
  netParallel,
];
