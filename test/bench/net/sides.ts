import { BenchError } from "../errors.ts";
import { type Lab, succeed } from "../lab.ts";
import { buildClient } from "./client.ts";
import { startBenchServer } from "./server.ts";
import { findWisp, NO_WISP, startWisp } from "./wisp.ts";

/** The guests that the network's bench compares. */

export const MB = 1_000_000;
export const OUR_BYTES = 20 * MB;
/** It would take a minute. */
const STOCK_BYTES = 4 * MB;
const STOCK_NETWORK =
  "ip link set eth0 up && ip addr add 192.168.86.100/24 dev eth0 && ip route add default via 192.168.86.1";
/** Any but the guest's own: the wisp server is told to connect to loopback instead. */
const WISP_ADDRESS = { hex: "c0a85702", dotted: "192.168.87.2" };

/** A guest with its way to the server, and how it runs a command. */
export interface Side {
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

export async function ourSide(lab: Lab): Promise<Side> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  const machine = await lab.startOurs({ hostPorts: [server.port] });
  await machine.writeFile("/root/client", await buildClient(await lab.makeFolder("client")));
  await succeed(machine, "chmod +x client");
  return {
    bytes: OUR_BYTES,
    pid: machine.pid,
    ...ourWay(server.port),
    run: async (command) => Buffer.from((await succeed(machine, command)).stdout).toString(),
  };
}

/** The way from a guest of ours to a port of this host's. */
export function ourWay(port: number) {
  return { address: "0a000202", port, host: "10.0.2.2", url: `http://10.0.2.2:${port}` };
}

/** v86's `fetch` network. */
export async function stockSide(lab: Lab): Promise<Side> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  return {
    ...(await startStock(lab, "fetch")),
    bytes: STOCK_BYTES,
    address: "c0a85601",
    port: 80,
    // v86's fetch network takes it for this port of the host.
    host: `${server.port}.external`,
    url: "http://192.168.86.1",
  };
}

/** v86's `wisp` network, with its server in this process. */
export async function wispSide(lab: Lab): Promise<Side> {
  const server = await startBenchServer();
  lab.onClose(() => server.close());
  const folder = findWisp(lab.env, lab.root);
  if (folder === undefined) throw new BenchError("NOT_MEASURABLE", NO_WISP);
  const wisp = await startWisp(folder);
  lab.onClose(() => wisp.close());
  return {
    ...(await startStock(lab, wisp.url)),
    bytes: OUR_BYTES,
    address: WISP_ADDRESS.hex,
    port: server.port,
    host: WISP_ADDRESS.dotted,
    url: `http://${WISP_ADDRESS.dotted}:${server.port}`,
  };
}

async function startStock(lab: Lab, network: string): Promise<Pick<Side, "pid" | "run">> {
  const machine = await lab.startStock({ twoPhase: true, network });
  await machine.run(STOCK_NETWORK);
  const client = Buffer.from(await buildClient(await lab.makeFolder("client")));
  // A terminal takes 4,000 bytes a line.
  for (const part of client.toString("base64").match(/.{1,1000}/g) ?? []) {
    await machine.run(`echo ${part} >>client.txt`);
  }
  await machine.run("base64 -d <client.txt >client && chmod +x client");
  return { pid: machine.pid, run: async (command) => (await machine.run(command)).text };
}
