import { formatDate } from "./date.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";

/**
 * Names for the ids in a text.
 * @typedef {object} Names
 * @property {(id: string) => string} user
 * @property {(id: string) => string} channel
 */

const FENCE = /```\n?([\s\S]*?)\n?```/g;
const INLINE =
  /`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*(?=\S)([^*\n]*?\S)\*(?![\w*])|(?<![\w_])_(?=\S)([^_\n]*?\S)_(?![\w_])|(?<![\w~])~(?=\S)([^~\n]*?\S)~(?![\w~])|:([a-z0-9_+-]+):/g;

/**
 * Slack's own markup as elements. Source: https://docs.slack.dev/messaging/formatting-message-text
 * @param {string} text
 * @param {Names} names
 */
export function renderMrkdwn(text, names) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(FENCE)) {
    fragment.append(renderLines(text.slice(end, match.index).replace(/\n$/, ""), names));
    fragment.append(h("pre", {}, codeContent(match[1] ?? "", names)));
    end = match.index + match[0].length;
    if (text[end] === "\n") end += 1;
  }
  fragment.append(renderLines(text.slice(end), names));
  return fragment;
}

/** @param {string} text */
export function unescapeText(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** @param {string} href @param {string} label */
export function link(href, label) {
  const isSafe = /^(https?:|mailto:)/i.test(href);
  if (!isSafe) return h("span", {}, label);
  return h("a", { href, target: "_blank", rel: "noreferrer noopener" }, label);
}

/** @param {string} text @param {Names} names */
function renderLines(text, names) {
  const fragment = document.createDocumentFragment();
  if (text === "") return fragment;
  /** @type {HTMLElement | undefined} */
  let quote;
  for (const [index, line] of text.split("\n").entries()) {
    const quoted = /^(?:&gt;|>) ?/.exec(line);
    if (quoted) {
      if (!quote) {
        quote = h("blockquote");
        fragment.append(quote);
      } else {
        quote.append(h("br"));
      }
      quote.append(renderInline(line.slice(quoted[0].length), names));
      continue;
    }
    if (index > 0 && !quote) fragment.append(h("br"));
    quote = undefined;
    fragment.append(renderInline(line, names));
  }
  return fragment;
}

/** @param {string} text @param {Names} names @returns {DocumentFragment} */
function renderInline(text, names) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) fragment.append(unescapeText(text.slice(end, match.index)));
    end = match.index + match[0].length;
    const [, code, entity, bold, italic, strike, emojiName] = match;
    if (code !== undefined) fragment.append(h("code", {}, codeContent(code, names)));
    else if (entity !== undefined) fragment.append(renderEntity(entity, names));
    else if (bold !== undefined) fragment.append(h("strong", {}, renderInline(bold, names)));
    else if (italic !== undefined) fragment.append(h("em", {}, renderInline(italic, names)));
    else if (strike !== undefined) fragment.append(h("s", {}, renderInline(strike, names)));
    else if (emojiName !== undefined) fragment.append(emoji(emojiName));
  }
  if (end < text.length) fragment.append(unescapeText(text.slice(end)));
  return fragment;
}

/** In code the only markup is that of addresses. @param {string} text @param {Names} names */
function codeContent(text, names) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(/<([^<>\n]+)>/g)) {
    fragment.append(
      unescapeText(text.slice(end, match.index)),
      renderEntity(match[1] ?? "", names),
    );
    end = match.index + match[0].length;
  }
  fragment.append(unescapeText(text.slice(end)));
  return fragment;
}

/** What stands between `<` and `>`. @param {string} entity @param {Names} names */
function renderEntity(entity, names) {
  const [target = "", label] = entity.split("|", 2);
  const shown = label === undefined ? undefined : unescapeText(label);
  if (target.startsWith("@")) return mention(`@${shown ?? names.user(target.slice(1))}`);
  if (target.startsWith("#")) return mention(`#${shown || names.channel(target.slice(1))}`);
  if (target.startsWith("!date^")) {
    const date = formatDate(target, new Date());
    if (date === undefined) return h("span", {}, shown ?? target);
    return h("time", { datetime: date.at.toISOString(), title: date.at.toString() }, date.shown);
  }
  if (target.startsWith("!")) return mention(`@${target.slice(1)}`);
  return link(unescapeText(target), shown ?? unescapeText(target));
}

/** @param {string} text */
export function mention(text) {
  return h("span", { class: "mention" }, text);
}
