import { createServer, type Server, type Socket } from "node:net";
import { resetSocket, streamOf } from "./node-stream.ts";
import type { Relay } from "./relay.ts";

export interface ForwardOptions {
  relay: Relay;
  /** The port that a program in the guest listens on. */
  guestPort: number;
  place: ForwardPlace;
  maxConnections?: number;
}

/** Where it listens on the host. Port 0 for any that is free; a path for a Unix socket, which only this user may use. */
export type ForwardPlace = { address: string; port: number } | { path: string };

/** A place of the host's behind which a port of the guest's is. */
export interface Forward {
  /** The port that was taken; 0 for a path. */
  readonly port: number;
  /** Also ends the connections that go through it. */
  close(): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 64;

/**
 * Listens on the host, and joins each connection to the guest's port. Where nothing listens in the guest, the
 * connection is reset. Rejects where the host's place is taken.
 */
export async function forward(options: ForwardOptions): Promise<Forward> {
  const { relay, guestPort, place } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    relay.connectToGuest(guestPort, (events) => streamOf(socket, events));
  });
  server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  await listen(server, place);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound ? bound.port : 0,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) resetSocket(socket);
      return closed;
    },
  };
}

function listen(server: Server, place: ForwardPlace): Promise<void> {
  const where = "path" in place ? place : { host: place.address, port: place.port };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
