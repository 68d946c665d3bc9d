/**
 * - `SLACK_REFUSED`: Slack does not take a token, or the app lacks a permission.
 * - `SLACK_UNREACHABLE`: no answer from Slack.
 * - `PORT_UNAVAILABLE`: the port for signed HTTP is taken, or not ours to use.
 */
export type SlackAppErrorCode = "SLACK_REFUSED" | "SLACK_UNREACHABLE" | "PORT_UNAVAILABLE";

export class SlackAppError extends Error {
  override readonly name = "SlackAppError";
  readonly code: SlackAppErrorCode;

  constructor(code: SlackAppErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
