import { randomBytes, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import type { SocketFaults } from "../faults.ts";
import type { WorkspaceConfig } from "../workspace/config.ts";
import type { AckResult, Attempt, Transport } from "./transport.ts";

/** https://docs.slack.dev/apis/events-api/using-socket-mode: up to 10 connections at once. */
const MAX_CONNECTIONS = 10;
const TICKET_LIFETIME_MS = 30_000;
const MAX_FRAME_BYTES = 1024 * 1024;
const REFRESH_GRACE_MS = 200;
const CLOSE_GRACE_MS = 300;

const ackSchema = z.object({ envelope_id: z.string(), payload: z.unknown().optional() });

interface Waiting {
  connection: WebSocket;
  settle(result: AckResult): void;
}

/** The WebSocket side of Socket Mode: tickets, `hello`, envelopes and their acknowledgements. */
export class SocketMode implements Transport, SocketFaults {
  readonly #config: WorkspaceConfig;
  readonly #now: () => number;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
  readonly #connections: WebSocket[] = [];
  readonly #tickets = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #onConnected = new Set<() => void>();
  #turn = 0;

  constructor(config: WorkspaceConfig, now: () => number) {
    this.#config = config;
    this.#now = now;
  }

  get connectionCount(): number {
    return this.#connections.length;
  }

  /** For `apps.connections.open`; `undefined` when the app has all the connections it may have. */
  issueTicket(): string | undefined {
    for (const [ticket, expiresAtMs] of this.#tickets) {
      if (expiresAtMs < this.#now()) this.#tickets.delete(ticket);
    }
    if (this.#connections.length >= MAX_CONNECTIONS) return undefined;
    const ticket = randomBytes(16).toString("hex");
    this.#tickets.set(ticket, this.#now() + TICKET_LIFETIME_MS);
    return ticket;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, ticket: string): void {
    const expiresAtMs = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (expiresAtMs === undefined || expiresAtMs < this.#now()) {
      socket.end("HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (connection) => this.#open(connection));
  }

  /** Resolves once a connection is open, or after the time-out. */
  whenConnected(timeoutMs: number): Promise<boolean> {
    if (this.#connections.length > 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (connected: boolean) => {
        clearTimeout(timer);
        this.#onConnected.delete(connect);
        resolve(connected);
      };
      const connect = () => settle(true);
      const timer = setTimeout(() => settle(false), timeoutMs);
      timer.unref();
      this.#onConnected.add(connect);
    });
  }

  attempt(attempt: Attempt): Promise<AckResult> {
    const connection = this.#connections[this.#turn++ % Math.max(1, this.#connections.length)];
    if (!connection) return Promise.resolve({ acked: false, reason: "connection_failed" });
    const envelopeId = randomUUID();
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => settle({ acked: false, reason: "timeout" }),
        attempt.timeoutMs,
      );
      const settle = (result: AckResult) => {
        clearTimeout(timer);
        this.#waiting.delete(envelopeId);
        resolve(result);
      };
      this.#waiting.set(envelopeId, { connection, settle });
      connection.send(JSON.stringify(envelope(envelopeId, attempt)));
    });
  }

  drop(): void {
    for (const connection of [...this.#connections]) connection.terminate();
  }

  refresh(): void {
    for (const connection of [...this.#connections]) {
      const debug_info = { host: "local" };
      connection.send(JSON.stringify({ type: "disconnect", reason: "warning", debug_info }));
      connection.send(
        JSON.stringify({ type: "disconnect", reason: "refresh_requested", debug_info }),
      );
      setTimeout(() => connection.close(1000), REFRESH_GRACE_MS).unref();
    }
  }

  garble(): void {
    for (const connection of this.#connections) connection.send('{"type": "events_api", "pay');
  }

  /** Says goodbye to each connection, and cuts those that do not answer. */
  async close(): Promise<void> {
    for (const connection of [...this.#connections]) connection.close(1001);
    const deadlineMs = Date.now() + CLOSE_GRACE_MS;
    while (this.#connections.length > 0 && Date.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.drop();
    this.#server.close();
  }

  #open(connection: WebSocket): void {
    this.#connections.push(connection);
    const ping = setInterval(
      () => connection.ping("Ping from local"),
      this.#config.delivery.pingIntervalMs,
    );
    connection.on("message", (data, isBinary) => {
      if (!isBinary) this.#receive(connection, String(data));
    });
    // ws closes the connection after an error; `close` does the rest.
    connection.on("error", () => {});
    connection.on("close", () => {
      clearInterval(ping);
      this.#connections.splice(this.#connections.indexOf(connection), 1);
      for (const waiting of [...this.#waiting.values()]) {
        if (waiting.connection === connection) {
          waiting.settle({ acked: false, reason: "connection_failed" });
        }
      }
    });
    connection.send(
      JSON.stringify({
        type: "hello",
        num_connections: this.#connections.length,
        debug_info: { host: "local", build_number: 1, approximate_connection_time: 18_060 },
        connection_info: { app_id: this.#config.app.id },
      }),
    );
    for (const connected of [...this.#onConnected]) connected();
  }

  #receive(connection: WebSocket, frame: string): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(frame);
    } catch {
      connection.close(1003, "not JSON");
      return;
    }
    const ack = ackSchema.safeParse(parsed);
    if (!ack.success) return;
    this.#waiting.get(ack.data.envelope_id)?.settle({ acked: true, body: ack.data.payload });
  }
}

function envelope(envelopeId: string, attempt: Attempt): Record<string, unknown> {
  const common = { envelope_id: envelopeId, type: attempt.kind, payload: attempt.payload };
  if (attempt.kind !== "events_api") return { ...common, accepts_response_payload: true };
  return {
    ...common,
    accepts_response_payload: false,
    retry_attempt: attempt.retry,
    retry_reason: attempt.retryReason,
  };
}
