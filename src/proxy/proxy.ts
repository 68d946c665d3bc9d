import { once } from "node:events";
import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import type { ExposeConfig } from "../config/index.ts";
import { type Log, QueueError, type TurnQueue } from "../queue/index.ts";
import { type ExchangeOptions, exchange, exchangeWebSocket } from "./exchange.ts";
import { hostOf, nameIn } from "./names.ts";
import { type OpenLimits, OpenRequests } from "./open-requests.ts";
import { Reach } from "./reach.ts";
import { Refusal, refusals, refuse } from "./refusal.ts";

export interface ProxyOptions {
  config: ExposeConfig;
  queue: Pick<TurnQueue, "exposure" | "place" | "wake">;
  log: Log;
  limits?: Partial<ProxyLimits>;
  now?: () => number;
}

export interface ProxyLimits extends OpenLimits {
  headersWithinMs: number;
  /** How long a request waits for a thread to be woken. */
  wakeWithinMs: number;
  /** For the first byte of a guest's answer. */
  answerWithinMs: number;
  /** A connection that carries nothing for so long is closed. */
  idleMs: number;
  /** How often it is looked whether names of open connections still hold. */
  recheckMs: number;
}

export interface RunningProxy {
  /** The one that was taken. */
  readonly port: number;
  close(): Promise<void>;
}

export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code = "LISTEN_FAILED";
}

const LIMITS: ProxyLimits = {
  ofName: 64,
  inAll: 512,
  headersWithinMs: 15_000,
  wakeWithinMs: 30_000,
  answerWithinMs: 120_000,
  idleMs: 15 * 60_000,
  recheckMs: 5_000,
};
const MOST_HEADER_BYTES = 32 * 1024;
const CHECK_EVERY_MS = 2_000;
/** Connections that have not said yet what they want, on top of those that are open. */
const MOST_STRANGERS = 256;

/**
 * The ports that threads expose, by host name: HTTP/1.1 and WebSocket. It has no rights of its own in Slack, and reads
 * what guests answer; the workers only carry bytes. Throws `ProxyError`.
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const limits = { ...LIMITS, ...options.limits };
  const server = createServer({
    maxHeaderSize: MOST_HEADER_BYTES,
    headersTimeout: limits.headersWithinMs,
    // Of all of a request, body included: those that stand still are ended by `idleMs`.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(CHECK_EVERY_MS, limits.headersWithinMs),
    noDelay: true,
  });
  server.timeout = limits.idleMs;
  server.maxConnections = limits.inAll + MOST_STRANGERS;
  const handler = new Handler(options, limits);
  server.on("request", (request, response) => void handler.request(request, response));
  server.on("upgrade", (request, _socket, head) => void handler.upgrade(request, head));
  const { host, port } = options.config.listen;
  try {
    await once(server.listen({ host, port }), "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new ProxyError(`MOM_EXPOSE_LISTEN: ${host}:${port} cannot be listened on (${code}).`, {
      cause,
    });
  }
  const rechecking = setInterval(() => void handler.recheck(), limits.recheckMs);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound ? bound.port : port,
    async close() {
      clearInterval(rechecking);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      handler.endAll();
      server.closeAllConnections();
      await closed;
    },
  };
}

class Handler {
  readonly #options: ProxyOptions;
  readonly #limits: ProxyLimits;
  readonly #open: OpenRequests;
  readonly #reach: Reach;
  readonly #domain: string;
  readonly #protocol: string;

  constructor(options: ProxyOptions, limits: ProxyLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#open = new OpenRequests(limits);
    const { queue, now = Date.now } = options;
    this.#reach = new Reach({ queue, wakeWithinMs: limits.wakeWithinMs, now });
    const { hostname, protocol } = new URL(options.config.url);
    this.#domain = hostname;
    this.#protocol = protocol.slice(0, -1);
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.#answer(request, response, response, (onward) =>
      exchange(request, response, onward),
    );
  }

  async upgrade(request: IncomingMessage, head: Buffer): Promise<void> {
    const { socket } = request;
    socket.on("error", () => {
      // It closes.
    });
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once("finish", () => {
      response.detachSocket(socket);
      socket.destroySoon();
    });
    const problem = webSocketProblem(request);
    if (problem) {
      refuse(response, refusals.badRequest(problem));
      return;
    }
    await this.#answer(request, response, socket, (onward) =>
      exchangeWebSocket(request, response, head, onward),
    );
  }

  /** End what is open by names that are taken away. */
  async recheck(): Promise<void> {
    try {
      for (const name of this.#open.names) {
        if (!(await this.#options.queue.exposure(name))) this.#open.end(name);
      }
    } catch (err) {
      this.#options.log.debug({ err }, "open connections could not be looked through");
    }
  }

  endAll(): void {
    for (const name of this.#open.names) this.#open.end(name);
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    /** What closes when it is over: the response, or the socket of one that is upgraded. */
    whole: Writable,
    pass: (onward: ExchangeOptions) => void,
  ): Promise<void> {
    const gone = new AbortController();
    const { socket } = request;
    response.once("close", () => gone.abort());
    try {
      const host = hostOf(request);
      if (host === undefined || !request.url?.startsWith("/")) {
        throw refusals.badRequest("A request names one host, and a path on it.");
      }
      const name = nameIn(host, this.#domain);
      const exposure = await this.#options.queue.exposure(name);
      if (!exposure) throw refusals.unknown();
      const leave = this.#open.enter(name, () => socket.destroy());
      if (!leave) throw refusals.busy();
      whole.once("close", leave);
      if (whole.destroyed) leave();
      const there = await this.#reach.connect(exposure, gone.signal);
      if (gone.signal.aborted) return void there.destroy();
      const { answerWithinMs, idleMs } = this.#limits;
      const { port } = exposure;
      pass({ there, port, host, protocol: this.#protocol, answerWithinMs, idleMs });
    } catch (error) {
      if (gone.signal.aborted) return;
      refuse(response, this.#refusalOf(error));
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (!(error instanceof QueueError)) {
      this.#options.log.error({ err: error }, "a request could not be passed on");
    }
    return refusals.queueAway();
  }
}

/** RFC 6455 section 4.1; a body would be taken for messages. */
function webSocketProblem({ method, headers }: IncomingMessage): string | undefined {
  const isWebSocket = headers.upgrade?.toLowerCase() === "websocket";
  const length = headers["content-length"] ?? "0";
  const hasBody = headers["transfer-encoding"] !== undefined || length !== "0";
  if (isWebSocket && method === "GET" && headers["sec-websocket-key"] && !hasBody) return undefined;
  return "Only WebSockets are upgraded to here.";
}
