import { z } from "zod";

/**
 * Faults on demand, the same from TypeScript (`slack.faults.add`) and over HTTP (`POST /_local/faults`).
 * Each one acts `times` times, then is gone.
 */
const times = z.number().int().positive().max(1_000_000).default(1);
const durationMs = z.number().int().nonnegative().max(3_600_000);
/** A Web API method's name, or `*` for any. */
const method = z.string().min(1).default("*");

export const faultSchema = z.discriminatedUnion("kind", [
  /** 429 with `Retry-After`. */
  z.object({
    kind: z.literal("rate-limit"),
    method,
    times,
    retryAfterSeconds: z.number().int().positive().default(1),
  }),
  /** A bare HTTP status, 500 by default, before anything is done. */
  z.object({
    kind: z.literal("http-status"),
    method,
    times,
    status: z.number().int().default(500),
  }),
  /** An answer of `{ok: false, error}`. */
  z.object({ kind: z.literal("api-error"), method, times, error: z.string() }),
  /** The connection is reset before the call is done, or after it, when only the answer is lost. */
  z.object({
    kind: z.literal("reset"),
    method,
    times,
    after: z.boolean().default(false),
  }),
  /** The call is taken and never answered. */
  z.object({ kind: z.literal("hang"), method, times }),
  z.object({ kind: z.literal("delay-call"), method, times, delayMs: durationMs }),
  /** Events are delivered twice: as a retry of the same id, or under a new event id. */
  z.object({
    kind: z.literal("duplicate-event"),
    times,
    newEventId: z.boolean().default(false),
  }),
  z.object({ kind: z.literal("delay-event"), times, delayMs: durationMs }),
  /** The event reaches the app, its acknowledgement does not reach Slack. */
  z.object({ kind: z.literal("lose-ack"), times }),
  /** `apps.connections.open` hands out an address that refuses the handshake. */
  z.object({ kind: z.literal("refuse-socket"), times }),
]);

export type Fault = z.output<typeof faultSchema>;
export type FaultInput = z.input<typeof faultSchema>;
type CallFault = Extract<Fault, { method: string }>;

/** What can be done to the sockets that are open. */
export interface SocketFaults {
  /** Cut without a word. */
  drop(): void;
  /** As Slack does before it recycles a connection: say so, then close. */
  refresh(): void;
  /** A frame that is not JSON. */
  garble(): void;
}

export class Faults {
  #pending: Fault[] = [];
  readonly #sockets: SocketFaults;

  constructor(sockets: SocketFaults) {
    this.#sockets = sockets;
  }

  /** @example slack.faults.add({ kind: "rate-limit", method: "chat.update", retryAfterSeconds: 2 }); */
  add(fault: FaultInput): void {
    this.#pending.push(faultSchema.parse(fault));
  }

  clear(): void {
    this.#pending = [];
  }

  pending(): readonly Fault[] {
    return this.#pending;
  }

  dropSockets(): void {
    this.#sockets.drop();
  }

  refreshSockets(): void {
    this.#sockets.refresh();
  }

  garbleSockets(): void {
    this.#sockets.garble();
  }

  /** The fault for this call, used up by asking. */
  takeForCall(called: string): CallFault | undefined {
    return this.#use((fault): fault is CallFault => {
      return "method" in fault && (fault.method === "*" || fault.method === called);
    });
  }

  take<K extends Exclude<Fault, { method: string }>["kind"]>(
    kind: K,
  ): Extract<Fault, { kind: K }> | undefined {
    return this.#use((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);
  }

  #use<F extends Fault>(matches: (fault: Fault) => fault is F): F | undefined {
    const fault = this.#pending.find(matches);
    if (!fault) return undefined;
    fault.times -= 1;
    this.#pending = this.#pending.filter((candidate) => candidate.times > 0);
    return fault;
  }
}
