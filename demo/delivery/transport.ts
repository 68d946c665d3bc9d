/** What Slack sends to an app, whichever way it goes. */
export type DeliveryKind = "events_api" | "slash_commands" | "interactive";

export interface Attempt {
  kind: DeliveryKind;
  payload: Record<string, unknown>;
  /** 0 for the first. */
  retry: number;
  retryReason: string;
  timeoutMs: number;
}

export type AckResult =
  | { acked: true; body: unknown }
  | {
      acked: false;
      reason: "timeout" | "connection_failed" | "http_timeout" | "http_error";
      /** The app said `X-Slack-No-Retry: 1`. */
      noRetry?: boolean;
    };

/** Socket Mode or signed HTTP: one attempt at one delivery. */
export interface Transport {
  attempt(attempt: Attempt): Promise<AckResult>;
}
