import { h, icon } from "./dom.js";
import { humanSize } from "./files.js";
import { Suggestions } from "./suggestions.js";

/**
 * @import { Actions } from "./actions.js"
 * @import { Store } from "./store.js"
 */

const MAX_FIELD_PX = 320;

/** Where one types: Enter sends, Shift+Enter makes a line, files come by button, drop or paste. */
export class Composer {
  #store;
  #actions;
  #channel;
  #threadTs;
  #field;
  #send;
  #hint = h("div", { class: "composer-hint" });
  #error = h("div", { class: "composer-error", role: "alert" });
  #tray = h("div", { class: "tray" });
  #picker = h("input", {
    type: "file",
    multiple: true,
    "aria-label": "Choose files",
    hidden: true,
  });
  #suggestions;
  /** @type {File[]} */
  #files = [];
  element;

  /**
   * @param {Store} store
   * @param {Actions} actions
   * @param {{ channel: string, threadTs?: string, placeholder: string }} place
   */
  constructor(store, actions, place) {
    this.#store = store;
    this.#actions = actions;
    this.#channel = place.channel;
    this.#threadTs = place.threadTs;
    this.#field = h("textarea", {
      "aria-label": place.placeholder,
      placeholder: place.placeholder,
      rows: "1",
      spellcheck: "true",
    });
    this.#suggestions = new Suggestions(store, this.#field, place.threadTs !== undefined, () =>
      this.#changed(),
    );
    this.#send = h(
      "button",
      {
        type: "button",
        class: "send",
        "aria-label": "Send",
        title: "Send",
        onclick: () => this.#submit(),
      },
      icon("send"),
    );
    this.element = h(
      "div",
      { class: "composer-area" },
      this.#suggestions.element,
      h(
        "div",
        { class: "composer" },
        this.#field,
        this.#tray,
        h(
          "div",
          { class: "composer-bar" },
          h(
            "button",
            {
              type: "button",
              "aria-label": "Attach files",
              title: "Attach files",
              onclick: () => this.#picker.click(),
            },
            icon("attach"),
          ),
          this.#picker,
          this.#hint,
          this.#send,
        ),
      ),
      this.#error,
    );
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("paste", (event) => {
      const pasted = [...(event.clipboardData?.files ?? [])];
      if (pasted.length > 0) this.attach(pasted);
    });
    this.#picker.addEventListener("change", () => {
      this.attach([...(this.#picker.files ?? [])]);
      this.#picker.value = "";
    });
    this.#changed();
  }

  focus() {
    this.#field.focus();
  }

  /** @param {File[]} files */
  attach(files) {
    this.#files.push(...files);
    this.#showTray();
    this.#field.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || this.#suggestions.key(event)) return;
    if (event.key !== "Enter" || event.shiftKey) return;
    // Inside an open code block Enter is a new line, as in Slack's own composer.
    const before = this.#field.value.slice(0, this.#field.selectionStart);
    if (before.split("```").length % 2 === 0) return;
    event.preventDefault();
    this.#submit();
  }

  async #submit() {
    const text = this.#field.value;
    const files = this.#files;
    if (text.trim() === "" && files.length === 0) return;
    const isCommand = /^\/\S/.test(text) && files.length === 0;
    if (isCommand && this.#threadTs !== undefined) {
      this.#error.textContent = `${text.split(/\s/, 1)[0]} is not supported in threads. Sorry!`;
      return;
    }
    this.#field.value = "";
    this.#files = [];
    this.#error.textContent = "";
    this.#showTray();
    this.#changed();
    try {
      if (isCommand) await this.#actions.slash(this.#channel, text);
      else await this.#actions.say(this.#channel, text, files, this.#threadTs);
    } catch (error) {
      this.#error.textContent = error instanceof Error ? error.message : String(error);
      if (this.#field.value === "") this.#field.value = text;
      this.#files = files;
      this.#showTray();
      this.#changed();
    }
  }

  #changed() {
    const { value } = this.#field;
    this.#field.style.height = "auto";
    // Nothing has a height before it is in the page.
    const { scrollHeight } = this.#field;
    if (scrollHeight > 0) this.#field.style.height = `${Math.min(scrollHeight, MAX_FIELD_PX)}px`;
    this.#send.disabled = value.trim() === "" && this.#files.length === 0;
    if (value !== "") this.#error.textContent = "";
    this.#hint.textContent = this.#hintFor(value);
    this.#suggestions.update();
  }

  /** @param {string} value */
  #hintFor(value) {
    const { commands, userId } = this.#store.now.app;
    const typed = commands.find((item) => value.startsWith(`${item.command} `));
    if (typed) return `${typed.command} ${typed.usageHint}`;
    if (value !== "") return "Enter to send · Shift+Enter for a new line";
    const isAlone = this.#store.channel(this.#channel)?.kind === "im";
    const mention = isAlone ? "" : `@${this.#store.user(userId).name}`;
    const command = this.#threadTs === undefined ? commands[0] : undefined;
    const hints = [command && `${command.command} ${command.usageHint}`, mention].filter(Boolean);
    return hints.length > 0 ? `Try ${hints.join(" or ")}` : "";
  }

  #showTray() {
    this.#send.disabled = this.#field.value.trim() === "" && this.#files.length === 0;
    this.#tray.replaceChildren(
      ...this.#files.map((file) =>
        h(
          "div",
          { class: "tray-file" },
          h("span", { class: "file-name" }, file.name),
          h("span", { class: "file-size" }, humanSize(file.size)),
          h(
            "button",
            {
              type: "button",
              "aria-label": `Remove ${file.name}`,
              onclick: () => {
                this.#files = this.#files.filter((other) => other !== file);
                this.#showTray();
              },
            },
            icon("close"),
          ),
        ),
      ),
    );
  }
}
