import { existsSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { pathToFileURL } from "node:url";
import type { Environment } from "../../../src/config/environment.ts";

/**
 * A wisp server for v86's `wisp` network: the package `@mercuryworkshop/wisp-js` of whoever has it. It is under the
 * LGPL, and no part of Mom.
 */

const PACKAGE = "@mercuryworkshop/wisp-js";
export const NO_WISP = `${PACKAGE} is not installed: install it in some folder and name its own folder in MOM_BENCH_WISP`;

/** The folder of the package. */
export function findWisp(env: Environment, root: string): string | undefined {
  const folder = resolve(env.MOM_BENCH_WISP ?? join(root, "node_modules", PACKAGE));
  return existsSync(join(folder, "src/server/index.mjs")) ? folder : undefined;
}

type TcpSocketClass = new (host: string, port: number) => object;

/** What of wisp-js 0.5 is used. */
interface WispServer {
  routeRequest(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    options: { TCPSocket: TcpSocketClass },
  ): void;
  options: { allow_private_ips: boolean };
}

/** A server on loopback that connects to ports of loopback, whatever address is asked for. */
export async function startWisp(folder: string): Promise<{ url: string; close(): Promise<void> }> {
  const load = (path: string) => import(pathToFileURL(join(folder, "src", path)).href);
  const wisp: WispServer = await load("server/index.mjs");
  const { NodeTCPSocket } = (await load("server/net.mjs")) as { NodeTCPSocket: TcpSocketClass };
  const logging: { NONE: number; set_level(level: number): void } = await load("logging.mjs");
  logging.set_level(logging.NONE);
  wisp.options.allow_private_ips = true;
  class LoopbackSocket extends NodeTCPSocket {
    constructor(_host: string, port: number) {
      super("127.0.0.1", port);
    }
  }
  const server = createServer();
  const sockets = new Set<Duplex>();
  server.on("upgrade", (request, socket, head) => {
    sockets.add(socket);
    wisp.routeRequest(request, socket, head, { TCPSocket: LoopbackSocket });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `wisp://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
