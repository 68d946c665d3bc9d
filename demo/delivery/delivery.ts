import type { Faults } from "../faults.ts";
import { slackId } from "../workspace/ids.ts";
import type { WorkspaceChange } from "../workspace/types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { eventBody, eventsOf } from "./event-payloads.ts";
import { SignedHttp } from "./signed-http.ts";
import type { SocketMode } from "./socket-mode.ts";
import type { AckResult, DeliveryKind, Transport } from "./transport.ts";

/** One delivery as it went, for tests and the control address to look at. */
export interface DeliveryRecord {
  kind: DeliveryKind;
  /** Event type, or the command or action. */
  name: string;
  eventId: string | undefined;
  retry: number;
  retryReason: string;
  outcome: "acked" | "lost" | AckFailure;
  tookMs: number;
}

type AckFailure = Extract<AckResult, { acked: false }>["reason"];

const RECORDS_KEPT = 1_000;

/** Sends the app what it subscribed to, and tries again as Slack does when nothing comes back. */
export class Delivery {
  readonly records: DeliveryRecord[] = [];
  readonly #workspace: Workspace;
  readonly #faults: Faults;
  readonly #socket: SocketMode;
  #http: SignedHttp | undefined;
  readonly #timers = new Set<{ timer: NodeJS.Timeout; cancel(): void }>();
  #closed = false;

  constructor(workspace: Workspace, faults: Faults, socket: SocketMode) {
    this.#workspace = workspace;
    this.#faults = faults;
    this.#socket = socket;
    const { requestUrl } = workspace.config.app;
    if (requestUrl) this.#http = new SignedHttp(workspace.config, workspace.now, requestUrl);
    workspace.onChange((change) => this.#onChange(change));
  }

  /** From now on signed HTTP to this address, after it has answered Slack's challenge; `undefined`: Socket Mode. */
  async setRequestUrl(requestUrl: string | undefined): Promise<void> {
    if (requestUrl === undefined) {
      this.#http = undefined;
      return;
    }
    const http = new SignedHttp(this.#workspace.config, this.#workspace.now, requestUrl);
    if (!(await http.verifyUrl())) {
      throw new Error(`The request URL did not answer the challenge: ${requestUrl}`);
    }
    this.#http = http;
  }

  /** A command or a click: one attempt, and whatever the app answers with. */
  async ask(
    kind: "slash_commands" | "interactive",
    name: string,
    payload: Record<string, unknown>,
  ): Promise<AckResult> {
    const startedAtMs = this.#workspace.now();
    const { ackTimeoutMs } = this.#workspace.config.delivery;
    const result = await this.#transport().attempt({
      kind,
      payload,
      retry: 0,
      retryReason: "",
      timeoutMs: ackTimeoutMs,
    });
    this.#record({
      kind,
      name,
      eventId: undefined,
      retry: 0,
      retryReason: "",
      outcome: result.acked ? "acked" : result.reason,
      tookMs: this.#workspace.now() - startedAtMs,
    });
    return result;
  }

  close(): void {
    this.#closed = true;
    for (const waiting of this.#timers) {
      clearTimeout(waiting.timer);
      waiting.cancel();
    }
  }

  #onChange(change: WorkspaceChange): void {
    for (const { subscription, event } of eventsOf(change, this.#workspace)) {
      if (!this.#workspace.config.app.events.includes(subscription)) continue;
      void this.#deliver(event, slackId("Ev"));
      const duplicate = this.#faults.take("duplicate-event");
      if (duplicate) {
        void this.#deliver(event, duplicate.newEventId ? slackId("Ev") : this.#lastEventId);
      }
    }
  }

  #lastEventId = "";

  async #deliver(event: Record<string, unknown>, eventId: string): Promise<void> {
    this.#lastEventId = eventId;
    const { config, now } = this.#workspace;
    const payload = eventBody(config, event, eventId, Math.floor(now() / 1_000));
    const delay = this.#faults.take("delay-event");
    if (delay && !(await this.#wait(delay.delayMs))) return;
    let retryReason = "";
    for (let retry = 0; retry <= config.delivery.retryDelaysMs.length; retry++) {
      if (retry > 0 && !(await this.#waitForRetry(retry))) return;
      const startedAtMs = now();
      const result = await this.#transport().attempt({
        kind: "events_api",
        payload,
        retry,
        retryReason,
        timeoutMs: config.delivery.ackTimeoutMs,
      });
      const lost = result.acked && this.#faults.take("lose-ack") !== undefined;
      this.#record({
        kind: "events_api",
        name: String(event.type),
        eventId,
        retry,
        retryReason,
        outcome: lost ? "lost" : result.acked ? "acked" : result.reason,
        tookMs: now() - startedAtMs,
      });
      if ((result.acked && !lost) || this.#closed) return;
      if (!result.acked && result.noRetry) return;
      retryReason = result.acked ? "timeout" : result.reason;
    }
  }

  async #waitForRetry(retry: number): Promise<boolean> {
    const { retryDelaysMs } = this.#workspace.config.delivery;
    const delayMs = retryDelaysMs[retry - 1] ?? 0;
    if (delayMs > 0) return this.#wait(delayMs);
    // "At once" means as soon as there is a connection to send it on.
    if (!this.#http) await this.#socket.whenConnected(retryDelaysMs[retry] ?? 60_000);
    return !this.#closed;
  }

  #wait(delayMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = {
        timer: setTimeout(() => {
          this.#timers.delete(waiting);
          resolve(!this.#closed);
        }, delayMs),
        cancel: () => resolve(false),
      };
      this.#timers.add(waiting);
    });
  }

  #transport(): Transport {
    return this.#http ?? this.#socket;
  }

  #record(record: DeliveryRecord): void {
    this.records.push(record);
    if (this.records.length > RECORDS_KEPT) this.records.shift();
  }
}
