/** A refusal in Slack's words: answered as HTTP 200 with `{ok: false, error}`. */
export class SlackApiError extends Error {
  override readonly name = "SlackApiError";
  /** `channel_not_found`, `invalid_auth`, … */
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(code: string, details: Record<string, unknown> = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}
