import { h } from "./dom.js";
import { link } from "./mrkdwn.js";

const FENCE = /^```[^\n]*\n([\s\S]*?)(?:\n```[ \t]*$|(?![\s\S]))/gm;
const INLINE =
  /`([^`\n]+)`|\*\*(?=\S)([^\n]*?\S)\*\*|(?<![\w*])\*(?=\S)([^*\n]*?\S)\*(?![\w*])|(?<!\w)_(?=\S)([^_\n]*?\S)_(?!\w)|~~([^~\n]+)~~|\[([^\]\n]+)\]\(([^)\s]+)\)/g;

/**
 * The Markdown of a `markdown` block: headings, lists, quotes, code, emphasis and links.
 * @param {string} text
 */
export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(FENCE)) {
    appendLines(fragment, text.slice(end, match.index));
    fragment.append(h("pre", {}, match[1] ?? ""));
    end = match.index + match[0].length;
  }
  appendLines(fragment, text.slice(end));
  return fragment;
}

/** @param {DocumentFragment} fragment @param {string} text */
function appendLines(fragment, text) {
  for (const paragraph of text.split(/\n{2,}/)) {
    const lines = paragraph.split("\n").filter((line) => line !== "");
    /** @type {HTMLElement | undefined} */
    let open;
    for (const line of lines) {
      const heading = /^(#{1,6}) +(.*)$/.exec(line);
      const item = /^\s*(?:[-*+]|(\d+)[.)]) +(.*)$/.exec(line);
      const quote = /^> ?(.*)$/.exec(line);
      if (heading) {
        fragment.append(h("p", { class: "heading" }, inline(heading[2] ?? "")));
        open = undefined;
      } else if (item) {
        const tag = item[1] === undefined ? "UL" : "OL";
        if (open?.tagName !== tag) {
          open = h(tag === "UL" ? "ul" : "ol");
          fragment.append(open);
        }
        open.append(h("li", {}, inline(item[2] ?? "")));
      } else {
        const tag = quote ? "BLOCKQUOTE" : "P";
        if (open?.tagName !== tag) {
          open = h(quote ? "blockquote" : "p");
          fragment.append(open);
        } else {
          open.append(h("br"));
        }
        open.append(inline(quote?.[1] ?? line));
      }
    }
  }
}

/** @param {string} text @returns {DocumentFragment} */
function inline(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    fragment.append(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [, code, bold, italic, alsoItalic, strike, label, href] = match;
    if (code !== undefined) fragment.append(h("code", {}, code));
    else if (bold !== undefined) fragment.append(h("strong", {}, inline(bold)));
    else if (italic !== undefined) fragment.append(h("em", {}, inline(italic)));
    else if (alsoItalic !== undefined) fragment.append(h("em", {}, inline(alsoItalic)));
    else if (strike !== undefined) fragment.append(h("s", {}, strike));
    else if (label !== undefined && href !== undefined) fragment.append(link(href, label));
  }
  fragment.append(text.slice(end));
  return fragment;
}
