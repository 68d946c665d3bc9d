/**
 * Whether the bot's token may be sent to an address: Slack's own hosts over TLS, or the very server that
 * `SLACK_API_URL` names. Addresses come out of messages, and a message may be anybody's.
 */
export function mayHaveToken(url: URL, apiUrl: string): boolean {
  if (url.origin === new URL(apiUrl).origin) return true;
  const isSlack = url.hostname === "slack.com" || url.hostname.endsWith(".slack.com");
  return url.protocol === "https:" && url.port === "" && isSlack;
}
