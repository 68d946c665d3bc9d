import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Refusal } from "./access.ts";
import type { Host } from "./host.ts";
import { Relay, type RelayOptions, type RelayStats } from "./relay.ts";

/** A relay for any v86 with `relay_url: "ws://…"`: one Ethernet frame a message, and a network apart for each client. */
export interface ServeOptions {
  /** Of this computer; loopback unless told otherwise. */
  address?: string;
  port?: number;
  /** Clients must give it as `?token=…`. */
  token?: string;
  /** Web pages that may connect, such as `https://example.org`. Without it no page may that has no token. */
  origins?: readonly string[];
  maxClients?: number;
  host: Host;
  /** Of every client's network. */
  relay?: Omit<RelayOptions, "host" | "send" | "canSend" | "onRefused" | "onFault">;
  onEvent?: (event: ServeEvent) => void;
}

/** `client` counts those who joined; `from` is where one connected from. */
export type ServeEvent =
  | { kind: "joined"; client: number; from: string }
  | { kind: "left"; client: number; stats: RelayStats }
  /** Somebody could not join. */
  | { kind: "turned-away"; from: string; status: string }
  /** A client wanted something that the policy does not allow. */
  | { kind: "refused"; client: number; refusal: Refusal }
  | { kind: "fault"; client: number; error: unknown };

export interface RelayServer {
  readonly address: string;
  readonly port: number;
  readonly clientCount: number;
  close(): Promise<void>;
}

const DEFAULT_MAX_CLIENTS = 32;
const MAX_FRAME_BYTES = 65_535 + 14;
/** Waiting for a slow client: connections stop here, and tell their hosts to wait. */
const MAX_WAITING_BYTES = 1024 * 1024;
const FRAMES_AT_ONCE = 64;
/** A client that is gone without a word would keep its place for ever. */
const PING_EVERY_MS = 30_000;
/** Connections that have not said yet what they want. */
const MAX_STRANGERS = 64;
const REQUEST_TIMEOUT_MS = 10_000;

/** Rejects where the port is taken. */
export async function serveRelay(options: ServeOptions): Promise<RelayServer> {
  const maxClients = options.maxClients ?? DEFAULT_MAX_CLIENTS;
  const http = createServer((_request, response) => {
    response.writeHead(426, { "content-type": "text/plain" }).end("This is a WebSocket server.\n");
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
  });
  http.maxConnections = maxClients + MAX_STRANGERS;
  http.headersTimeout = REQUEST_TIMEOUT_MS;
  let joinedCount = 0;
  http.on("upgrade", (request, socket, head) => {
    const from = request.socket.remoteAddress ?? "";
    const status = refusalOf(request, options, sockets.clients.size >= maxClients);
    if (status !== undefined) {
      options.onEvent?.({ kind: "turned-away", from, status });
      socket.on("error", () => {});
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      join(client, ++joinedCount, from, options);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen({ host: options.address ?? "127.0.0.1", port: options.port ?? 0 }, () => {
      http.off("error", reject);
      resolve();
    });
  });
  const bound = http.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    get clientCount() {
      return sockets.clients.size;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      const left = [...sockets.clients].map((client) => once(client, "close"));
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      await Promise.all([closed, ...left]);
    },
  };
}

function join(client: WebSocket, number: number, from: string, options: ServeOptions): void {
  const { host, onEvent } = options;
  const relay = new Relay({
    ...options.relay,
    host,
    // The relay builds all frames in one buffer, and a socket may keep this one.
    send: (frame) => client.send(Uint8Array.from(frame), () => relay.flush()),
    canSend: () => (client.bufferedAmount < MAX_WAITING_BYTES ? FRAMES_AT_ONCE : 0),
    onRefused: (refusal) => onEvent?.({ kind: "refused", client: number, refusal }),
    onFault: (error) => onEvent?.({ kind: "fault", client: number, error }),
  });
  onEvent?.({ kind: "joined", client: number, from });
  client.binaryType = "nodebuffer";
  client.on("message", (data, isBinary) => {
    if (isBinary && data instanceof Uint8Array) relay.receive(data);
  });
  client.on("error", () => client.terminate());
  const stopPinging = keepAsking(client, host);
  client.on("close", () => {
    stopPinging();
    relay.close();
    onEvent?.({ kind: "left", client: number, stats: relay.stats() });
  });
}

/** Ends a client that has not answered the last ping when the next is due (RFC 6455, 5.5.2). */
function keepAsking(client: WebSocket, host: Host): () => void {
  let hasAnswered = true;
  let stop = () => {};
  client.on("pong", () => {
    hasAnswered = true;
  });
  const ask = () => {
    if (!hasAnswered) {
      client.terminate();
      return;
    }
    hasAnswered = false;
    client.ping();
    stop = host.setTimer(PING_EVERY_MS, ask);
  };
  stop = host.setTimer(PING_EVERY_MS, ask);
  return () => stop();
}

/** The status of an answer to who may not join. */
function refusalOf(
  request: IncomingMessage,
  options: ServeOptions,
  isFull: boolean,
): string | undefined {
  const { token, origins = [] } = options;
  const { origin } = request.headers;
  if (token !== undefined) {
    const [, query = ""] = request.url?.split("?") ?? [];
    const given = new URLSearchParams(query).get("token") ?? "";
    if (!isSame(given, token)) return "401 Unauthorized";
  }
  // Any page that somebody looks at could otherwise use the network of the one who looks.
  const isPage = origin !== undefined;
  if (isPage && !origins.includes(origin) && (token === undefined || origins.length > 0))
    return "403 Forbidden";
  return isFull ? "503 Service Unavailable" : undefined;
}

/** Takes the same time wherever two texts differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
