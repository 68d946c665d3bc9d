import type { WebClient } from "@slack/web-api";
import { classify, type Persistence, persist } from "./call.ts";

export class SlackCheckError extends Error {
  override readonly name = "SlackCheckError";
  /** Slack does not take the token, or gives no answer. */
  readonly code: "SLACK_REFUSED" | "SLACK_UNREACHABLE";

  constructor(code: SlackCheckError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Results that nobody gets to see are worse than a worker that does not start. Throws `SlackCheckError`. */
export async function checkSlack(
  client: WebClient,
  apiUrl: string,
  persistence: Persistence,
): Promise<void> {
  try {
    await persist(persistence, "check the token", () => client.auth.test());
  } catch (cause) {
    const failure = classify(cause);
    if (failure.kind === "refused") {
      throw new SlackCheckError(
        "SLACK_REFUSED",
        `Slack refuses SLACK_BOT_TOKEN (${failure.reason}): copy it again from your app's page at api.slack.com/apps.`,
        { cause },
      );
    }
    const reason = failure.kind === "unsure" ? failure.reason : "too many calls";
    throw new SlackCheckError(
      "SLACK_UNREACHABLE",
      `Slack at ${apiUrl} cannot be used (${reason}): look at the network, or at SLACK_API_URL.`,
      { cause },
    );
  }
}
