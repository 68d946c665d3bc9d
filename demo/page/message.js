import { renderBlocks } from "./blocks.js";
import { avatar, h, icon } from "./dom.js";
import { emoji, QUICK_REACTIONS } from "./emoji.js";
import { renderFiles } from "./files.js";
import { renderMrkdwn, unescapeText } from "./mrkdwn.js";

/**
 * @import { Message } from "../workspace/types.ts"
 * @import { Actions } from "./actions.js"
 * @import { Store } from "./store.js"
 */
/**
 * @typedef {object} MessageView
 * @property {Store} store
 * @property {Actions} actions
 * @property {string} channel
 * @property {boolean} inThread
 * @property {(threadTs: string) => void} openThread
 */

/**
 * One message, with all that hangs on it.
 * @param {Message} message
 * @param {boolean} isContinued said by the same person just before: no name, no picture
 * @param {MessageView} view
 */
export function renderMessage(message, isContinued, view) {
  const { store } = view;
  const user = store.user(message.user);
  const name = user.isBot ? user.realName : user.realName || user.name;
  const element = h(
    "article",
    {
      class: `message${isContinued ? " continued" : ""}${message.is_ephemeral ? " ephemeral" : ""}`,
      role: "listitem",
      "data-ts": message.ts,
      "aria-label": `Message from ${name}`,
    },
    isContinued
      ? h("time", { class: "gutter-time", datetime: isoTime(message.ts) }, narrowClock(message.ts))
      : avatar(name, user.isBot),
    h(
      "div",
      { class: "message-main" },
      message.is_ephemeral && h("div", { class: "only-you" }, "Only visible to you"),
      !isContinued &&
        h(
          "div",
          { class: "message-head" },
          h("strong", { class: "sender" }, name),
          user.isBot && h("span", { class: "app-badge" }, "APP"),
          h(
            "time",
            { datetime: isoTime(message.ts), title: fullTime(message.ts) },
            clock(message.ts),
          ),
        ),
      h("div", { class: "message-body" }, ...body(message, view)),
      message.files && renderFiles(message.files),
      renderReactions(message, view),
      !view.inThread && renderReplies(message, view),
    ),
  );
  if (!message.is_ephemeral && message.subtype !== "tombstone") {
    element.append(toolbar(message, element, view));
  }
  return element;
}

/** @param {Message} message @param {MessageView} view @returns {(Node | undefined | false)[]} */
function body(message, view) {
  const { store, actions, channel } = view;
  const names = {
    user: (/** @type {string} */ id) => store.user(id).name,
    channel: (/** @type {string} */ id) => store.channel(id)?.name ?? "private",
  };
  const context = {
    names,
    click: (/** @type {string} */ blockId, /** @type {string} */ actionId) =>
      actions.click(channel, message.ts, blockId, actionId),
  };
  // A person's own markup is in the text; an app's blocks stand in for its text.
  const hasBlocks = message.bot_id !== undefined && (message.blocks?.length ?? 0) > 0;
  const edited =
    message.edited &&
    message.streaming_state === undefined &&
    h("span", { class: "edited" }, " (edited)");
  if (hasBlocks) {
    return [renderBlocks(message.blocks ?? [], context), edited];
  }
  const text = h("div", { class: "text" }, renderMrkdwn(message.text, names));
  if (edited) {
    // After the last word, but never inside a code block.
    text.append(edited);
  }
  return [message.text !== "" && text];
}

/** @param {Message} message @param {MessageView} view */
function renderReactions(message, view) {
  if (!message.reactions?.length) return undefined;
  return h(
    "div",
    { class: "reactions" },
    ...message.reactions.map((reaction) => {
      const isMine = reaction.users.includes(view.store.now.me);
      return h(
        "button",
        {
          type: "button",
          class: isMine ? "reaction mine" : "reaction",
          "aria-pressed": String(isMine),
          "aria-label": `${reaction.count} with ${reaction.name}`,
          title: `${reaction.users.map((id) => view.store.user(id).name).join(", ")} reacted with :${reaction.name}:`,
          onclick: () => view.actions.react(view.channel, message.ts, reaction.name),
        },
        h("span", {}, emoji(reaction.name)),
        h("span", { class: "count" }, String(reaction.count)),
      );
    }),
  );
}

/** @param {Message} message @param {MessageView} view */
function renderReplies(message, view) {
  const count = message.reply_count ?? 0;
  if (count === 0) return undefined;
  return h(
    "button",
    { type: "button", class: "replies", onclick: () => view.openThread(message.ts) },
    ...(message.reply_users ?? []).slice(0, 4).map((id) => {
      const user = view.store.user(id);
      return avatar(user.realName, user.isBot);
    }),
    h("span", { class: "replies-count" }, count === 1 ? "1 reply" : `${count} replies`),
    h("span", { class: "replies-time" }, `Last reply ${clock(message.latest_reply ?? message.ts)}`),
  );
}

/** @param {Message} message @param {HTMLElement} element @param {MessageView} view */
function toolbar(message, element, view) {
  const { actions, channel, store } = view;
  const isMine = message.user === store.now.me;
  /** @param {string} label @param {Parameters<typeof icon>[0]} name @param {() => void} act */
  const button = (label, name, act) =>
    h("button", { type: "button", "aria-label": label, title: label, onclick: act }, icon(name));
  const picker = h(
    "div",
    { class: "reaction-picker", role: "menu", "aria-label": "Reactions", hidden: true },
    ...QUICK_REACTIONS.map((name) =>
      h(
        "button",
        {
          type: "button",
          role: "menuitem",
          "aria-label": name,
          onclick: () => {
            picker.hidden = true;
            actions.react(channel, message.ts, name);
          },
        },
        emoji(name),
      ),
    ),
  );
  return h(
    "div",
    { class: "toolbar" },
    button("Add reaction", "react", () => {
      picker.hidden = !picker.hidden;
    }),
    !view.inThread &&
      button("Reply in thread", "reply", () => view.openThread(message.thread_ts ?? message.ts)),
    isMine && button("Edit message", "edit", () => startEditing(message, element, view)),
    isMine && button("Delete message", "trash", () => actions.remove(channel, message.ts)),
    picker,
  );
}

/** @param {Message} message @param {HTMLElement} element @param {MessageView} view */
function startEditing(message, element, view) {
  const place = element.querySelector(".message-body");
  if (!place) return;
  const before = [...place.childNodes];
  const field = h("textarea", { class: "edit-field", "aria-label": "Edit message" });
  // What was typed, as near as the text tells: names come back as names.
  field.value = unescapeText(
    message.text
      .replaceAll(/<@(\w+)>/g, (_, id) => `@${view.store.user(id).name}`)
      .replaceAll(/<#\w+\|([^>]+)>/g, "#$1")
      .replaceAll(/<[^<>|]+\|([^<>]+)>/g, "$1")
      .replaceAll(/<(https?:[^<>]+)>/g, "$1"),
  );
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") place.replaceChildren(...before);
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    place.replaceChildren(...before);
    view.actions.edit(view.channel, message.ts, field.value);
  });
  place.replaceChildren(field);
  field.focus();
}

/** @param {string} ts */
export function dateOf(ts) {
  return new Date(Number(ts) * 1_000);
}

/** @param {string} ts */
function clock(ts) {
  return dateOf(ts).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

/** Without "AM" or "PM", for which the gutter has no room. @param {string} ts */
function narrowClock(ts) {
  return clock(ts).replace(/[^\d:.]/g, "");
}

/** @param {string} ts */
function fullTime(ts) {
  return dateOf(ts).toLocaleString();
}

/** @param {string} ts */
function isoTime(ts) {
  return dateOf(ts).toISOString();
}
