import { avatar, h } from "./dom.js";

/** @import { Store } from "./store.js" */

/**
 * Channels, direct messages, and who one is.
 * @param {HTMLElement} place
 * @param {Store} store
 * @param {string} openChannel
 * @param {(channel: string) => void} open
 */
export function renderSidebar(place, store, openChannel, open) {
  const { team, channels, me, people } = store.now;
  const link = (/** @type {import("./store.js").Channel} */ channel) => {
    const unread = channel.id === openChannel ? 0 : (store.unread.get(channel.id) ?? 0);
    const title = store.title(channel);
    const isIm = channel.kind === "im";
    const other = channel.members.find((member) => member !== me) ?? me;
    return h(
      "a",
      {
        class: `channel-link${unread > 0 ? " unread" : ""}`,
        href: `#${channel.id}`,
        "aria-label": title,
        "aria-current": channel.id === openChannel ? "page" : undefined,
        onclick: (/** @type {MouseEvent} */ event) => {
          event.preventDefault();
          open(channel.id);
        },
      },
      isIm
        ? avatar(title, store.user(other).isBot)
        : h("span", { class: "hash", "aria-hidden": "true" }, "#"),
      h("span", { class: "channel-name" }, title),
      unread > 0 && h("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread)),
    );
  };
  const byName = (/** @type {any} */ a, /** @type {any} */ b) => a.name.localeCompare(b.name);
  const mine = store.user(me);
  place.replaceChildren(
    h("div", { class: "team" }, h("strong", {}, team.name)),
    h(
      "div",
      { class: "sidebar-scroll" },
      h("h2", {}, "Channels"),
      ...channels
        .filter((channel) => channel.kind === "channel")
        .sort(byName)
        .map(link),
      h("h2", {}, "Direct messages"),
      ...channels.filter((channel) => channel.kind === "im").map(link),
    ),
    h(
      "label",
      { class: "me" },
      avatar(mine.realName, false),
      h(
        "select",
        {
          "aria-label": "You are",
          onchange: (/** @type {Event & { target: HTMLSelectElement }} */ event) => {
            location.search = `?as=${encodeURIComponent(event.target.value)}`;
          },
        },
        ...people.map((id) =>
          h("option", { value: store.user(id).name, selected: id === me }, store.user(id).realName),
        ),
      ),
    ),
  );
}
