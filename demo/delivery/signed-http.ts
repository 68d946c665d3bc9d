import { createHmac, randomBytes } from "node:crypto";
import type { WorkspaceConfig } from "../workspace/config.ts";
import type { AckResult, Attempt, Transport } from "./transport.ts";

const MAX_ACK_BYTES = 256 * 1024;

/** Events, commands and clicks posted to the app's request URL, signed. */
export class SignedHttp implements Transport {
  readonly #config: WorkspaceConfig;
  readonly #now: () => number;
  requestUrl: string;

  constructor(config: WorkspaceConfig, now: () => number, requestUrl: string) {
    this.#config = config;
    this.#now = now;
    this.requestUrl = requestUrl;
  }

  async attempt(attempt: Attempt): Promise<AckResult> {
    const isEvent = attempt.kind === "events_api";
    const body = isEvent ? JSON.stringify(attempt.payload) : formBody(attempt);
    const headers: Record<string, string> = {
      "Content-Type": isEvent ? "application/json" : "application/x-www-form-urlencoded",
      ...this.#sign(body),
    };
    if (attempt.retry > 0) {
      headers["X-Slack-Retry-Num"] = String(attempt.retry);
      headers["X-Slack-Retry-Reason"] = attempt.retryReason;
    }
    try {
      const response = await fetch(this.requestUrl, {
        method: "POST",
        headers,
        body,
        redirect: "manual",
        signal: AbortSignal.timeout(attempt.timeoutMs),
      });
      const text = await response.text();
      if (response.ok) return { acked: true, body: parseAck(text.slice(0, MAX_ACK_BYTES)) };
      const noRetry = response.headers.get("x-slack-no-retry") === "1";
      return { acked: false, reason: "http_error", noRetry };
    } catch (error) {
      const timedOut = error instanceof Error && error.name === "TimeoutError";
      return { acked: false, reason: timedOut ? "http_timeout" : "connection_failed" };
    }
  }

  /** The challenge that Slack sends when a request URL is saved. */
  async verifyUrl(): Promise<boolean> {
    const challenge = randomBytes(24).toString("base64url");
    const result = await this.attempt({
      kind: "events_api",
      payload: {
        token: this.#config.app.verificationToken,
        challenge,
        type: "url_verification",
      },
      retry: 0,
      retryReason: "",
      timeoutMs: this.#config.delivery.ackTimeoutMs,
    });
    if (!result.acked) return false;
    if (result.body === challenge) return true;
    return (
      typeof result.body === "object" &&
      result.body !== null &&
      "challenge" in result.body &&
      result.body.challenge === challenge
    );
  }

  /** https://docs.slack.dev/authentication/verifying-requests-from-slack */
  #sign(body: string): Record<string, string> {
    const timestamp = String(Math.floor(this.#now() / 1_000));
    const digest = createHmac("sha256", this.#config.app.signingSecret)
      .update(`v0:${timestamp}:${body}`)
      .digest("hex");
    return { "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": `v0=${digest}` };
  }
}

function formBody(attempt: Attempt): string {
  if (attempt.kind === "interactive") {
    return new URLSearchParams({ payload: JSON.stringify(attempt.payload) }).toString();
  }
  const fields = Object.entries(attempt.payload).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return new URLSearchParams(fields).toString();
}

/** Apps acknowledge with nothing, with plain text, or with a message in JSON. */
function parseAck(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
