import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { renderMarkdown } from "./markdown.js";
import { link, mention, renderMrkdwn } from "./mrkdwn.js";

/**
 * @import { Block } from "../workspace/types.ts"
 * @import { Names } from "./mrkdwn.js"
 */
/** @typedef {{ names: Names, click(blockId: string, actionId: string): Promise<void> }} BlockContext */
/** @typedef {Record<string, any>} Json Block Kit as it came: read with care, never as HTML. */

/**
 * Block Kit. Source: https://docs.slack.dev/reference/block-kit/blocks
 * @param {Block[]} blocks
 * @param {BlockContext} context
 */
export function renderBlocks(blocks, context) {
  const fragment = document.createDocumentFragment();
  for (const block of blocks) {
    const rendered = renderBlock(/** @type {Json} */ (block), context);
    if (rendered) fragment.append(rendered);
  }
  return fragment;
}

/** @param {Json} block @param {BlockContext} context @returns {Node | undefined} */
function renderBlock(block, context) {
  switch (block.type) {
    case "section":
      return h(
        "div",
        { class: "block section" },
        h(
          "div",
          { class: "section-text" },
          block.text && renderText(block.text, context.names),
          ...(block.fields ?? []).map((/** @type {Json} */ field) =>
            h("div", { class: "field" }, renderText(field, context.names)),
          ),
        ),
        block.accessory && renderElement(block.accessory, block, context),
      );
    case "header":
      return h("div", { class: "block header" }, String(block.text?.text ?? ""));
    case "divider":
      return h("hr", { class: "block" });
    case "context":
      return h(
        "div",
        { class: "block context" },
        ...(block.elements ?? []).map((/** @type {Json} */ element) =>
          element.type === "image"
            ? h("img", { src: element.image_url, alt: element.alt_text ?? "" })
            : h("span", {}, renderText(element, context.names)),
        ),
      );
    case "actions":
      return h(
        "div",
        { class: "block actions" },
        ...(block.elements ?? []).map((/** @type {Json} */ element) =>
          renderElement(element, block, context),
        ),
      );
    case "image":
      return h(
        "figure",
        { class: "block" },
        block.title && h("figcaption", {}, String(block.title.text ?? "")),
        h("img", { class: "preview-image", src: block.image_url, alt: block.alt_text ?? "" }),
      );
    case "markdown":
      return h("div", { class: "block markdown" }, renderMarkdown(String(block.text ?? "")));
    case "rich_text":
      return h(
        "div",
        { class: "block rich-text" },
        ...(block.elements ?? []).map((/** @type {Json} */ element) =>
          renderRichText(element, context.names),
        ),
      );
    case "task_update":
      return h(
        "div",
        { class: `block task ${block.status}` },
        h("span", { class: "task-mark", "aria-hidden": "true" }),
        h("span", {}, String(block.title)),
        block.details && h("span", { class: "task-details" }, String(block.details)),
      );
    case "plan_update":
      return h("div", { class: "block header" }, String(block.title));
    default:
      return undefined;
  }
}

/** @param {Json} text @param {Names} names */
function renderText(text, names) {
  if (text.type === "mrkdwn") return renderMrkdwn(String(text.text), names);
  return document.createTextNode(
    String(text.text).replaceAll(/:([a-z0-9_+-]+):/g, (_, /** @type {string} */ name) =>
      emoji(name),
    ),
  );
}

/** @param {Json} element @param {Json} block @param {BlockContext} context @returns {Node | undefined} */
function renderElement(element, block, context) {
  if (element.type === "image") {
    return h("img", { class: "accessory", src: element.image_url, alt: element.alt_text ?? "" });
  }
  if (element.type !== "button") return undefined;
  const button = h(
    "button",
    {
      type: "button",
      class: `button ${element.style ?? ""}`,
      "aria-label": element.accessibility_label,
      onclick: async () => {
        button.disabled = true;
        button.classList.add("waiting");
        await context.click(String(block.block_id), String(element.action_id));
        button.disabled = false;
        button.classList.remove("waiting");
        if (element.url) window.open(String(element.url), "_blank", "noopener");
      },
    },
    renderText(element.text ?? { text: "" }, context.names),
  );
  return button;
}

/** @param {Json} element @param {Names} names @returns {Node} */
function renderRichText(element, names) {
  const inlines = () =>
    (element.elements ?? []).map((/** @type {Json} */ item) => inline(item, names));
  switch (element.type) {
    case "rich_text_preformatted":
      return h("pre", {}, ...inlines());
    case "rich_text_quote":
      return h("blockquote", {}, ...inlines());
    case "rich_text_list":
      return h(
        element.style === "ordered" ? "ol" : "ul",
        {},
        ...(element.elements ?? []).map((/** @type {Json} */ item) =>
          h("li", {}, renderRichText(item, names)),
        ),
      );
    default:
      return h("div", { class: "rich-section" }, ...inlines());
  }
}

/** @param {Json} item @param {Names} names @returns {Node} */
function inline(item, names) {
  switch (item.type) {
    case "link":
      return link(String(item.url), String(item.text ?? item.url));
    case "user":
      return mention(`@${names.user(String(item.user_id))}`);
    case "channel":
      return mention(`#${names.channel(String(item.channel_id))}`);
    case "broadcast":
      return mention(`@${item.range}`);
    case "emoji":
      return document.createTextNode(emoji(String(item.name)));
    default: {
      /** @type {Node} */
      let node = document.createTextNode(String(item.text ?? ""));
      if (item.style?.code) node = h("code", {}, node);
      if (item.style?.bold) node = h("strong", {}, node);
      if (item.style?.italic) node = h("em", {}, node);
      if (item.style?.strike) node = h("s", {}, node);
      return node;
    }
  }
}
