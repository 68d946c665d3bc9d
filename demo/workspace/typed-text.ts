import type { Block } from "./types.ts";

/** Names to ids, for what people type after `@` and `#`. */
export interface Directory {
  userId(name: string): string | undefined;
  channelId(name: string): string | undefined;
}

/** A typed message as Slack hands it to apps: `text` with entities, and the composer's `rich_text` block. */
export interface TypedMessage {
  text: string;
  blocks: Block[];
}

type Inline =
  | { type: "text"; text: string; style?: { code: true } }
  | { type: "link"; url: string; text?: string }
  | { type: "user"; user_id: string }
  | { type: "channel"; channel_id: string; name: string }
  | { type: "broadcast"; range: string };

/** Country codes, which Slack takes `foo.py` and `README.md` for, and the usual generic names. */
const TLDS = new RegExp(
  `^(?:${"ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
    .split(" ")
    .join("|")}|com|org|net|edu|gov|mil|int|info|biz|app|dev|cloud|online|site|tech|xyz)$`,
  "i",
);

const FENCE = /```([\s\S]+?)```/g;
const INLINE_CODE = /`([^`\n]+)`/g;
const ENTITY = new RegExp(
  [
    /(?<url>\bhttps?:\/\/[^\s<>"'`|]+)/,
    /(?<![\w.+-])(?<mail>[\w.+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+\b)/,
    /(?<![\w@./:=-])(?<domain>(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?(?:\/[^\s<>"'`|]*)?)(?![\w@-])/,
    /(?<![\w@])@(?<user>[a-z0-9][\w.-]*)/,
    /(?<![\w#&])#(?<channel>[a-z0-9][\w-]*)/,
  ]
    .map((part) => part.source)
    .join("|"),
  "gi",
);
const BROADCASTS = new Set(["here", "channel", "everyone"]);

/**
 * What Slack does to a message as it is sent: escapes `& < >`, links addresses, bare domains and mail, and
 * turns `@name` and `#name` into ids. Addresses are linked in code as well; names and bare domains are not.
 * Source: https://docs.slack.dev/messaging/formatting-message-text
 */
export function typeMessage(typed: string, directory: Directory): TypedMessage {
  const elements: Record<string, unknown>[] = [];
  let text = "";
  for (const part of splitBy(typed, FENCE)) {
    if (part.code) {
      const inlines = findEntities(part.text, directory, true);
      text += `\`\`\`${inlines.map(inlineText).join("")}\`\`\``;
      const trimmed = findEntities(part.text.replace(/^\n|\n$/g, ""), directory, true);
      elements.push({ type: "rich_text_preformatted", elements: trimmed, border: 0 });
      continue;
    }
    const section: Inline[] = [];
    for (const piece of splitBy(part.text, INLINE_CODE)) {
      const inlines = findEntities(piece.text, directory, piece.code);
      text += piece.code
        ? `\`${inlines.map(inlineText).join("")}\``
        : inlines.map(inlineText).join("");
      for (const inline of inlines) {
        section.push(
          piece.code && inline.type === "text" ? { ...inline, style: { code: true } } : inline,
        );
      }
    }
    if (section.length > 0) elements.push({ type: "rich_text_section", elements: section });
  }
  return { text, blocks: elements.length > 0 ? [{ type: "rich_text", elements }] : [] };
}

/** Slash-command text: nothing but `& < >` is touched, unless the command asks for escaped names and links. */
export function typeCommandText(
  typed: string,
  directory: Directory,
  shouldEscape: boolean,
): string {
  if (!shouldEscape) return escapeText(typed);
  return findEntities(typed, directory, false)
    .map((inline) => (inline.type === "user" ? `<@${inline.user_id}>` : inlineText(inline)))
    .join("");
}

export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The client's "smart" punctuation, which macOS and iOS put in outside of code. */
export function smartenPunctuation(typed: string): string {
  return splitBy(typed, FENCE)
    .map((part) => {
      if (part.code) return `\`\`\`${part.text}\`\`\``;
      return part.text
        .replaceAll(/(^|[\s([{])"/g, "$1“")
        .replaceAll('"', "”")
        .replaceAll(/(^|[\s([{])'/g, "$1‘")
        .replaceAll("'", "’")
        .replaceAll("--", "—")
        .replaceAll("...", "…");
    })
    .join("");
}

function splitBy(text: string, code: RegExp): { code: boolean; text: string }[] {
  const parts: { code: boolean; text: string }[] = [];
  let end = 0;
  for (const match of text.matchAll(code)) {
    if (match.index > end) parts.push({ code: false, text: text.slice(end, match.index) });
    parts.push({ code: true, text: match[1] ?? "" });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ code: false, text: text.slice(end) });
  return parts;
}

function findEntities(text: string, directory: Directory, inCode: boolean): Inline[] {
  const inlines: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(ENTITY)) {
    const found = entity(match.groups ?? {}, directory, inCode);
    if (!found) continue;
    if (match.index > end) inlines.push({ type: "text", text: text.slice(end, match.index) });
    inlines.push(found.inline);
    end = match.index + found.length;
  }
  if (end < text.length) inlines.push({ type: "text", text: text.slice(end) });
  return inlines;
}

function entity(
  groups: Record<string, string | undefined>,
  directory: Directory,
  inCode: boolean,
): { inline: Inline; length: number } | undefined {
  if (groups.url !== undefined) {
    const url = withoutTrailingPunctuation(groups.url);
    return { inline: { type: "link", url }, length: url.length };
  }
  if (inCode) return undefined;
  if (groups.mail !== undefined) {
    const inline: Inline = { type: "link", url: `mailto:${groups.mail}`, text: groups.mail };
    return { inline, length: groups.mail.length };
  }
  if (groups.domain !== undefined) {
    const domain = withoutTrailingPunctuation(groups.domain);
    const host = domain.split(/[/:]/, 1)[0] ?? "";
    if (!TLDS.test(host.slice(host.lastIndexOf(".") + 1))) return undefined;
    const inline: Inline = { type: "link", url: `http://${domain}`, text: domain };
    return { inline, length: domain.length };
  }
  if (groups.user !== undefined) {
    const name = groups.user.replace(/[.-]+$/, "");
    const length = name.length + 1;
    if (BROADCASTS.has(name)) return { inline: { type: "broadcast", range: name }, length };
    const userId = directory.userId(name);
    return userId ? { inline: { type: "user", user_id: userId }, length } : undefined;
  }
  const name = groups.channel ?? "";
  const channelId = directory.channelId(name);
  return channelId
    ? { inline: { type: "channel", channel_id: channelId, name }, length: name.length + 1 }
    : undefined;
}

function withoutTrailingPunctuation(url: string): string {
  let trimmed = url.replace(/[.,;:!?\]}]+$/, "");
  let unopened = trimmed.split(")").length - trimmed.split("(").length;
  while (unopened-- > 0 && trimmed.endsWith(")")) trimmed = trimmed.slice(0, -1);
  return trimmed;
}

function inlineText(inline: Inline): string {
  switch (inline.type) {
    case "text":
      return escapeText(inline.text);
    case "link": {
      const url = escapeText(inline.url);
      return inline.text === undefined ? `<${url}>` : `<${url}|${escapeText(inline.text)}>`;
    }
    case "user":
      return `<@${inline.user_id}>`;
    case "channel":
      return `<#${inline.channel_id}|${inline.name}>`;
    case "broadcast":
      return `<!${inline.range}>`;
  }
}
