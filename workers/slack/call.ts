import {
  LogLevel,
  type Logger as SlackLogger,
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
  WebClient,
} from "@slack/web-api";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";

/** Why Slack did not do what it was asked. */
export type SlackFailure =
  /** Too many calls; nothing was done. Slack says when to come back. */
  | { kind: "rate-limited"; retryAfterMs: number }
  /** It broke or did not answer: the call may have been carried out all the same. */
  | { kind: "unsure"; reason: string }
  /** Slack said no, and would again. */
  | { kind: "refused"; reason: string };

const REQUEST_TIMEOUT_MS = 10_000;
/** A first wait before another try; it doubles from there. */
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
/** Errors that Slack documents as passing (https://docs.slack.dev/reference/methods/chat.postMessage#errors). */
const PASSING_ERRORS = new Set([
  "fatal_error",
  "internal_error",
  "request_timeout",
  "service_unavailable",
  "team_added_to_org",
]);

/**
 * A client that tries once and says what happened. Its own way, ten tries in half an hour without a
 * time-out, would edit a message with what was true long ago.
 */
export function createSlackClient(botToken: string, apiUrl: string): WebClient {
  return new WebClient(botToken, {
    slackApiUrl: apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: REQUEST_TIMEOUT_MS,
    // The client logs request bodies: output of people's commands does not belong in a log.
    logger: silentLogger,
  });
}

export interface Persistence {
  clock: Clock;
  log: Logger;
  /** Give up at this time (`clock.now()`); the last failure is thrown. */
  deadlineMs: number;
  signal?: AbortSignal;
}

/** Make a call until it succeeds, is refused, or the deadline has passed. */
export async function persist<T>(
  { clock, log, deadlineMs, signal }: Persistence,
  what: string,
  call: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const failure = classify(error);
      if (failure.kind === "refused" || signal?.aborted) throw error;
      const delayMs =
        failure.kind === "rate-limited"
          ? failure.retryAfterMs
          : Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
      if (clock.now() + delayMs > deadlineMs) throw error;
      log.warn({ what, attempt, failure, delayMs }, "Slack did not take a call; trying again");
      await clock.sleep(delayMs, signal);
    }
  }
}

/** An answer other than 200 to a request that does not go through the client: the bytes of a file. */
export class SlackStatusError extends Error {
  override readonly name = "SlackStatusError";
  readonly status: number;

  constructor(status: number) {
    super(`Slack answered with HTTP ${status}`);
    this.status = status;
  }
}

export function classify(error: unknown): SlackFailure {
  if (error instanceof WebAPIRateLimitedError) {
    return { kind: "rate-limited", retryAfterMs: Math.max(1, error.retryAfter) * 1_000 };
  }
  if (error instanceof WebAPIHTTPError) return ofStatus(error.statusCode);
  if (error instanceof SlackStatusError) return ofStatus(error.status);
  if (error instanceof WebAPIPlatformError) {
    // For an answer that is no JSON the client gives all of it as the error.
    const reason = /^[a-z_]{1,60}$/.test(error.data.error) ? error.data.error : "no JSON";
    if (reason === "ratelimited") return { kind: "rate-limited", retryAfterMs: 1_000 };
    const passes = PASSING_ERRORS.has(reason) || reason === "no JSON";
    return { kind: passes ? "unsure" : "refused", reason };
  }
  if (error instanceof WebAPIRequestError) {
    return { kind: "unsure", reason: connectionReason(error.original) };
  }
  // What `fetch` throws when there is no answer.
  if (error instanceof TypeError || (error instanceof Error && error.name === "TimeoutError")) {
    return { kind: "unsure", reason: connectionReason(error) };
  }
  return { kind: "refused", reason: error instanceof Error ? error.message : String(error) };
}

function ofStatus(status: number): SlackFailure {
  const reason = `HTTP ${status}`;
  if (status === 429) return { kind: "rate-limited", retryAfterMs: 1_000 };
  return { kind: status >= 500 ? "unsure" : "refused", reason };
}

/** `fetch failed` says nothing; its cause does. */
function connectionReason(error: Error): string {
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return error.message;
}

const silentLogger: SlackLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  getLevel: () => LogLevel.ERROR,
  setName: () => {},
};
