import { avatar, h } from "./dom.js";

/** @import { Store } from "./store.js" */
/** @typedef {{ insert: string, title: string, hint: string, about: string, picture?: HTMLElement }} Suggestion */

/** The menu above the composer: commands after `/`, names after `@`. */
export class Suggestions {
  #store;
  #field;
  #isThread;
  #onPick;
  /** @type {Suggestion[]} */
  #items = [];
  #selected = 0;
  #start = 0;
  element = h("div", {
    class: "suggestions",
    role: "listbox",
    "aria-label": "Suggestions",
    hidden: true,
  });

  /**
   * @param {Store} store
   * @param {HTMLTextAreaElement} field
   * @param {boolean} isThread
   * @param {() => void} onPick
   */
  constructor(store, field, isThread, onPick) {
    this.#store = store;
    this.#field = field;
    this.#isThread = isThread;
    this.#onPick = onPick;
  }

  update() {
    const before = this.#field.value.slice(0, this.#field.selectionStart);
    const command = /^\/(\S*)$/.exec(before);
    const name = /(?:^|\s)@([\w.-]*)$/.exec(before);
    this.#items = [];
    if (command && !this.#isThread) {
      this.#start = 0;
      this.#items = this.#commands(command[1] ?? "");
    } else if (name) {
      this.#start = before.length - (name[1] ?? "").length - 1;
      this.#items = this.#names(name[1] ?? "");
    }
    this.#selected = 0;
    this.#show();
  }

  /** True when the key was for the menu. @param {KeyboardEvent} event */
  key(event) {
    if (this.#items.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.#selected = (this.#selected + step + this.#items.length) % this.#items.length;
      this.#show();
    } else if (event.key === "Escape") {
      this.#items = [];
      this.#show();
    } else if (event.key === "Tab" || event.key === "Enter") {
      const item = this.#items[this.#selected];
      // A command typed in full is sent, not completed.
      if (!item || (event.key === "Enter" && this.#typed() === item.insert.trim())) return false;
      this.#pick(item);
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  #typed() {
    return this.#field.value.slice(this.#start, this.#field.selectionStart);
  }

  /** @param {string} typed @returns {Suggestion[]} */
  #commands(typed) {
    const builtIn = {
      command: "/invite",
      usageHint: "@name",
      description: "Add someone to this channel",
    };
    return [...this.#store.now.app.commands, builtIn]
      .filter((item) => item.command.slice(1).startsWith(typed))
      .map((item) => ({
        insert: `${item.command} `,
        title: item.command,
        hint: item.usageHint,
        about: item.description,
      }));
  }

  /** @param {string} typed @returns {Suggestion[]} */
  #names(typed) {
    return this.#store.now.users
      .filter((user) => user.id !== this.#store.now.me && user.name.startsWith(typed.toLowerCase()))
      .map((user) => ({
        insert: `@${user.name} `,
        title: user.realName,
        hint: `@${user.name}`,
        about: user.isBot ? "App" : "",
        picture: avatar(user.realName, user.isBot),
      }));
  }

  #show() {
    this.element.hidden = this.#items.length === 0;
    this.element.replaceChildren(
      ...this.#items.map((item, index) =>
        h(
          "div",
          {
            role: "option",
            "aria-selected": String(index === this.#selected),
            class: "suggestion",
            // Before the field loses the focus.
            onmousedown: (/** @type {MouseEvent} */ event) => {
              event.preventDefault();
              this.#pick(item);
            },
          },
          item.picture ?? "",
          h("strong", {}, item.title),
          h("span", { class: "suggestion-hint" }, item.hint),
          h("span", { class: "suggestion-about" }, item.about),
        ),
      ),
    );
  }

  /** @param {Suggestion} item */
  #pick(item) {
    const after = this.#field.value.slice(this.#field.selectionStart);
    const text = this.#field.value.slice(0, this.#start) + item.insert;
    this.#field.value = text + after;
    this.#field.setSelectionRange(text.length, text.length);
    this.#field.focus();
    this.#onPick();
  }
}
