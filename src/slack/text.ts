import { joined, plainPunctuation, type Segment, unixLines } from "./segments.ts";

/**
 * Read a message's `text`, for messages without a `rich_text` block (slash commands, other apps).
 * Slack escapes `& < >`, so a bare `<` is always markup of its own.
 * Source: https://docs.slack.dev/messaging/formatting-message-text
 */
export function parseText(text: string): Segment[] {
  const segments: Segment[] = [];
  for (const [part, fence] of split(unixLines(text), FENCE)) {
    if (fence !== undefined) {
      segments.push({ kind: "fence", text: literal(fence).replace(/^\n/, "").replace(/\n$/, "") });
      continue;
    }
    for (const [prose, code] of split(part, CODE)) {
      if (code === undefined) segments.push(...parseProse(prose));
      else segments.push({ kind: "code", text: literal(code) });
    }
  }
  return joined(segments);
}

const FENCE = /```([\s\S]+?)```/g;
const CODE = /`([^`\n]+)`/g;

/** `<@U1>`, `<#C1|name>`, `<!here>`, `<https://x|label>`; nothing else between angle brackets is Slack's. */
const MARKUP =
  /<(?:@(?<user>[UW][A-Z0-9]+)|#(?<channel>[CDG][A-Z0-9]+)|!(?<special>[^|>\s]+)|(?<link>[a-z][a-z0-9+.-]*:[^|>\s]+))(?:\|(?<label>[^<>]*))?>/g;

function parseProse(text: string): Segment[] {
  const segments: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(MARKUP)) {
    segments.push({ kind: "text", text: plainPunctuation(entities(text.slice(end, match.index))) });
    segments.push(markup(match.groups ?? {}));
    end = match.index + match[0].length;
  }
  segments.push({ kind: "text", text: plainPunctuation(entities(text.slice(end))) });
  return segments;
}

function markup({
  user,
  channel,
  special,
  link,
  label,
}: Record<string, string | undefined>): Segment {
  if (user !== undefined) return { kind: "user", userId: user };
  const shown = entities(label ?? "");
  if (channel !== undefined) return { kind: "text", text: `#${shown || channel}` };
  if (special !== undefined) return { kind: "text", text: shown || `@${special}` };
  return { kind: "text", text: shown || address(entities(link ?? "")) };
}

/** What was typed to make a link without a label of its own: `mailto:` and `tel:` are Slack's addition. */
export function address(url: string): string {
  return url.replace(/^(?:mailto|tel):/, "");
}

/** In code Slack links addresses too; everything else stays as it is. */
function literal(text: string): string {
  return entities(
    text.replaceAll(MARKUP, (whole, ...rest) => {
      const groups: Record<string, string | undefined> = rest.at(-1);
      const { link, label } = groups;
      return link === undefined ? whole : label || address(link);
    }),
  );
}

/** `&amp;` last: `&amp;lt;` is somebody's `&lt;`. */
function entities(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Cut at each match: pairs of what is outside (`""` for a match) and the match's first group. */
function* split(text: string, pattern: RegExp): Generator<[outside: string, inside?: string]> {
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    yield [text.slice(end, match.index)];
    yield ["", match[1] ?? ""];
    end = match.index + match[0].length;
  }
  yield [text.slice(end)];
}
