import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { streamOf } from "./node-stream.ts";
import type { Relay } from "./relay.ts";

export interface ForwardOptions {
  relay: Relay;
  /** The port that a program in the guest listens on. */
  guestPort: number;
  /** Of the host: loopback unless told otherwise. */
  address?: string;
  /** 0 for any that is free. */
  port?: number;
  maxConnections?: number;
}

/** A port of the host's behind which a port of the guest's is. */
export interface Forward {
  readonly address: string;
  readonly port: number;
  readonly guestPort: number;
  /** Also ends the connections that go through it. */
  close(): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 64;

/**
 * Listens on the host, and joins each connection to the guest's port. Where nothing listens in the guest, the
 * connection is reset. Rejects where the host's port is taken.
 */
export async function forward(options: ForwardOptions): Promise<Forward> {
  const { relay, guestPort, address = "127.0.0.1", port = 0 } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    relay.connectToGuest(guestPort, (events) => streamOf(socket, events));
  });
  server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  await listen(server, address, port);
  const bound = server.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    guestPort,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.resetAndDestroy();
      return closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
