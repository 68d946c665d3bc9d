/**
 * Text for Slack's mrkdwn (https://docs.slack.dev/messaging/formatting-message-text): three characters are
 * special everywhere, and three backticks end a code block even in the middle of a line.
 */

export function escapeMrkdwn(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Length after `escapeMrkdwn`: Slack counts what it is sent. */
export function escapedLength(text: string): number {
  let length = text.length;
  for (const character of text) {
    if (character === "&") length += 4;
    if (character === "<" || character === ">") length += 3;
  }
  return length;
}

/** A code block that ends where we end it, whatever the text holds. */
export function codeBlock(text: string): string {
  return `\`\`\`\n${escapeMrkdwn(breakFences(text))}\n\`\`\``;
}

/** Text within a line of prose: a file name, an error. Nothing in it is markup, and it stays one line. */
export function inlineCode(text: string): string {
  const oneLine = text.replaceAll("`", "ˋ").replaceAll(/\s+/g, " ").trim();
  return oneLine === "" ? "(no name)" : `\`${escapeMrkdwn(oneLine)}\``;
}

/** A space of no width, which looks like nothing and keeps backticks from being a fence. */
const ZERO_WIDTH_SPACE = "\u200b";

export function breakFences(text: string): string {
  return text.replaceAll(/``+/g, (run) => [...run].join(ZERO_WIDTH_SPACE));
}
