import { webApi } from "@slack/bolt";
import { SlackAppError } from "./errors.ts";

/** Slack's answers that no later try will change. Source: https://docs.slack.dev/reference/methods/auth.test#errors */
const FINAL = new Set([
  "not_authed",
  "invalid_auth",
  "account_inactive",
  "token_revoked",
  "token_expired",
  "no_permission",
  "not_allowed_token_type",
  "missing_scope",
  "user_removed_from_team",
  "team_disabled",
  "org_login_required",
  "app_inactive",
]);

/** The code of an `{ok: false}` answer, or `undefined` when Slack gave none. */
export function platformError(error: unknown): string | undefined {
  return error instanceof webApi.WebAPIPlatformError ? error.data.error : undefined;
}

/** One sentence for a call that failed while the app starts. `token` is the setting to look at. */
export function startError(error: unknown, token: string, apiUrl: string): SlackAppError {
  const code = platformError(error);
  if (code && FINAL.has(code)) {
    return new SlackAppError(
      "SLACK_REFUSED",
      `Slack refuses ${token} (${code}): copy it again from your app's page at api.slack.com/apps.`,
      { cause: error },
    );
  }
  return new SlackAppError(
    "SLACK_UNREACHABLE",
    `Slack at ${apiUrl} cannot be used (${code ?? reason(error)}): look at the network, or at SLACK_API_URL.`,
    { cause: error },
  );
}

function reason(error: unknown): string {
  if (error instanceof webApi.WebAPIHTTPError) return `HTTP ${error.statusCode}`;
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error)
    innermost = innermost.cause;
  if (innermost instanceof webApi.WebAPIRequestError) return reason(innermost.original);
  if (!(innermost instanceof Error)) return String(innermost);
  return innermost.message || ("code" in innermost ? String(innermost.code) : innermost.name);
}
