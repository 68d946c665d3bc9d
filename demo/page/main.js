import { Actions } from "./actions.js";
import { Composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { MessageList } from "./message-list.js";
import { renderSidebar } from "./sidebar.js";
import { Store } from "./store.js";

/** @import { Channel } from "./store.js" */
/** @typedef {{ list: MessageList, composer: Composer, key: string }} Pane */

const place = {
  app: byId("app"),
  sidebar: byId("sidebar"),
  channel: byId("channel"),
  thread: byId("thread"),
  connection: byId("connection"),
};
const store = new Store(new URLSearchParams(location.search).get("as") ?? "", (isConnected) => {
  place.connection.hidden = isConnected;
});
const actions = new Actions(() => store.now.me);
let openChannel = "";
let openThread = "";
/** @type {Pane | undefined} */
let channelPane;
/** @type {Pane | undefined} */
let threadPane;

store.onChange((change) => {
  if (change === "everything") {
    readAddress();
    render();
    return;
  }
  if (change.channel === openChannel) {
    if (document.visibilityState === "visible") store.unread.delete(openChannel);
    updatePanes();
  }
  renderSidebar(place.sidebar, store, openChannel, (id) => go(id, ""));
  setTitle();
});
window.addEventListener("hashchange", () => {
  readAddress();
  render();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && openThread && !event.defaultPrevented) go(openChannel, "");
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible" || !store.snapshot) return;
  store.unread.delete(openChannel);
  setTitle();
});
store.connect();

/** `#CHANNEL` or `#CHANNEL/THREAD`; a permalink's path the first time. */
function readAddress() {
  const permalink = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (permalink && location.hash === "") {
    const thread = new URLSearchParams(location.search).get("thread_ts");
    history.replaceState(null, "", `/#${permalink[1]}${thread ? `/${thread}` : ""}`);
  }
  const [channel = "", thread = ""] = location.hash.slice(1).split("/");
  const first = store.now.channels.find((item) => item.name === "general") ?? store.now.channels[0];
  openChannel = store.channel(channel)?.id ?? first?.id ?? "";
  openThread = store.channel(channel) ? thread : "";
}

/** @param {string} channel @param {string} thread */
function go(channel, thread) {
  place.app.classList.remove("show-sidebar");
  location.hash = thread ? `${channel}/${thread}` : channel;
}

function render() {
  const channel = store.channel(openChannel);
  if (!channel) return;
  store.unread.delete(openChannel);
  renderSidebar(place.sidebar, store, openChannel, (id) => go(id, ""));
  if (channelPane?.key !== openChannel) channelPane = buildChannel(channel);
  place.thread.hidden = openThread === "";
  place.app.classList.toggle("with-thread", openThread !== "");
  if (openThread === "") {
    threadPane = undefined;
    place.thread.replaceChildren();
  } else if (threadPane?.key !== `${openChannel}/${openThread}`) {
    threadPane = buildThread(channel, openThread);
  }
  updatePanes();
  setTitle();
}

/** @param {Channel} channel @returns {Pane} */
function buildChannel(channel) {
  const title = store.title(channel);
  const shown = channel.kind === "im" ? title : `#${title}`;
  const list = new MessageList(
    {
      store,
      actions,
      channel: channel.id,
      inThread: false,
      openThread: (ts) => go(channel.id, ts),
    },
    `Messages in ${title}`,
    intro(channel, title),
  );
  const composer = new Composer(store, actions, {
    channel: channel.id,
    placeholder: `Message ${shown}`,
  });
  place.channel.setAttribute("aria-label", title);
  place.channel.replaceChildren(
    h(
      "header",
      { class: "pane-head" },
      h(
        "button",
        {
          type: "button",
          class: "menu",
          "aria-label": "Show channels",
          onclick: () => place.app.classList.toggle("show-sidebar"),
        },
        icon("menu"),
      ),
      h("h1", {}, channel.kind === "im" ? title : `# ${title}`),
      h("span", { class: "topic" }, channel.topic),
    ),
    list.element,
    composer.element,
  );
  takeDrops(place.channel, composer, `Drop to share in ${shown}`);
  queueMicrotask(() => {
    list.toEnd();
    composer.focus();
  });
  return { list, composer, key: channel.id };
}

/** @param {Channel} channel @param {string} threadTs @returns {Pane} */
function buildThread(channel, threadTs) {
  const list = new MessageList(
    { store, actions, channel: channel.id, inThread: true, openThread: () => {} },
    "Messages in thread",
  );
  const composer = new Composer(store, actions, {
    channel: channel.id,
    threadTs,
    placeholder: "Reply…",
  });
  const title = store.title(channel);
  place.thread.replaceChildren(
    h(
      "header",
      { class: "pane-head" },
      h("h1", {}, "Thread"),
      h("span", { class: "topic" }, channel.kind === "im" ? title : `# ${title}`),
      h(
        "button",
        {
          type: "button",
          class: "close",
          "aria-label": "Close thread",
          onclick: () => go(channel.id, ""),
        },
        icon("close"),
      ),
    ),
    list.element,
    composer.element,
  );
  takeDrops(place.thread, composer, "Drop to share in thread");
  queueMicrotask(() => {
    list.toEnd();
    composer.focus();
  });
  return { list, composer, key: `${channel.id}/${threadTs}` };
}

function updatePanes() {
  const topLevel = store
    .messages(openChannel)
    .filter((message) => !message.thread_ts || message.thread_ts === message.ts);
  channelPane?.list.show(topLevel);
  if (!threadPane) return;
  threadPane.list.show(store.thread(openChannel, openThread));
  const status = store.status(openChannel, openThread);
  const thread = openThread;
  const stop = status?.canStop ? () => void actions.stop(openChannel, thread) : undefined;
  threadPane.list.showStatus(status?.text ?? "", stop);
}

/** @param {Channel} channel @param {string} title */
function intro(channel, title) {
  const isIm = channel.kind === "im";
  return h(
    "div",
    { class: "intro" },
    h("h2", {}, isIm ? title : `# ${title}`),
    h(
      "p",
      {},
      isIm
        ? `This conversation is just between ${title} and you.`
        : `This is the very beginning of the #${title} channel.${channel.topic ? ` ${channel.topic}.` : ""}`,
    ),
  );
}

/** @param {HTMLElement} pane @param {Composer} composer @param {string} label */
function takeDrops(pane, composer, label) {
  pane.dataset.drop = label;
  pane.ondragover = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    pane.classList.add("dropping");
  };
  pane.ondragleave = (event) => {
    if (!pane.contains(/** @type {Node | null} */ (event.relatedTarget))) {
      pane.classList.remove("dropping");
    }
  };
  pane.ondrop = (event) => {
    event.preventDefault();
    pane.classList.remove("dropping");
    composer.attach([...(event.dataTransfer?.files ?? [])]);
  };
}

function setTitle() {
  const channel = store.channel(openChannel);
  const unread = [...store.unread.values()].reduce((sum, count) => sum + count, 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${channel ? store.title(channel) : ""} – ${store.now.team.name}`;
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}
