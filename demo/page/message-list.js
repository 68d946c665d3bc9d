import { h, icon } from "./dom.js";
import { dateOf, renderMessage } from "./message.js";

/**
 * @import { Message } from "../workspace/types.ts"
 * @import { MessageView } from "./message.js"
 */

const CONTINUED_WITHIN_SECONDS = 300;
const STICKY_PX = 80;

/**
 * Messages, oldest first. An edit puts a new element in the place of that one message and touches no other;
 * the list stays at its end when it was there.
 */
export class MessageList {
  #view;
  #list;
  #isAtEnd = true;
  #status = h("div", { class: "status-line", role: "status", "aria-live": "polite" });
  element;
  /** Key → what it was rendered from, and the element. @type {Map<string, { from: string, element: HTMLElement }>} */
  #shown = new Map();

  /** @param {MessageView} view @param {string} label @param {Node} [intro] */
  constructor(view, label, intro) {
    this.#view = view;
    this.#list = h("div", { role: "list", "aria-label": label, class: "messages" });
    this.element = h(
      "div",
      { class: "scroller", tabindex: "0", "aria-label": label, role: "region" },
      intro ?? "",
      this.#list,
      this.#status,
    );
    this.element.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      this.#isAtEnd = scrollHeight - scrollTop - clientHeight < STICKY_PX;
    });
    // Pictures and the composer change the height long after the messages have come.
    const resizes = new ResizeObserver(() => {
      if (this.#isAtEnd) this.toEnd();
    });
    for (const part of [this.element, this.#list, this.#status]) resizes.observe(part);
  }

  /** @param {Message[]} messages */
  show(messages) {
    /** @type {Map<string, { from: string, element: HTMLElement }>} */
    const next = new Map();
    /** @type {HTMLElement[]} */
    const elements = [];
    /** @type {Message | undefined} */
    let previous;
    for (const [index, message] of messages.entries()) {
      const day = dateOf(message.ts).toDateString();
      if (!previous || dateOf(previous.ts).toDateString() !== day) {
        elements.push(this.#keep(next, `day ${day}`, "", () => dayDivider(message.ts)));
        previous = undefined;
      }
      const isContinued = continues(previous, message);
      const from = `${isContinued} ${JSON.stringify(message)}`;
      elements.push(
        this.#keep(next, message.ts, from, () => renderMessage(message, isContinued, this.#view)),
      );
      previous = message;
      if (this.#view.inThread && index === 0 && messages.length > 1) {
        const replies = messages.length - 1;
        const label = replies === 1 ? "1 reply" : `${replies} replies`;
        elements.push(
          this.#keep(next, "replies", label, () => h("div", { class: "reply-count" }, label)),
        );
        previous = undefined;
      }
    }
    this.#shown = next;
    this.#place(elements);
    if (this.#isAtEnd) this.toEnd();
  }

  /** @param {string} text @param {(() => void) | undefined} stop */
  showStatus(text, stop) {
    if (text === "") {
      this.#status.replaceChildren();
      return;
    }
    const app = this.#view.store.now.app.name;
    this.#status.replaceChildren(
      h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", {}, `${app} ${text}`),
      stop
        ? h("button", { type: "button", class: "button", onclick: stop }, icon("stop"), "Stop")
        : "",
    );
  }

  toEnd() {
    this.#isAtEnd = true;
    this.element.scrollTop = this.element.scrollHeight;
  }

  /**
   * @param {Map<string, { from: string, element: HTMLElement }>} next
   * @param {string} key
   * @param {string} from
   * @param {() => HTMLElement} render
   */
  #keep(next, key, from, render) {
    const old = this.#shown.get(key);
    const element = old?.from === from ? old.element : render();
    next.set(key, { from, element });
    return element;
  }

  /** Moves only what is not where it should be. @param {HTMLElement[]} elements */
  #place(elements) {
    const wanted = new Set(elements);
    for (const child of [...this.#list.children]) {
      if (!wanted.has(/** @type {HTMLElement} */ (child))) child.remove();
    }
    let at = this.#list.firstElementChild;
    for (const element of elements) {
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
  }
}

/** @param {Message | undefined} previous @param {Message} message */
function continues(previous, message) {
  if (!previous || previous.user !== message.user) return false;
  if (previous.is_ephemeral || message.is_ephemeral) return false;
  if ((previous.reply_count ?? 0) > 0) return false;
  return Number(message.ts) - Number(previous.ts) < CONTINUED_WITHIN_SECONDS;
}

/** @param {string} ts */
function dayDivider(ts) {
  const date = dateOf(ts);
  const isToday = date.toDateString() === new Date().toDateString();
  const label = isToday
    ? "Today"
    : date.toLocaleDateString([], { weekday: "long", month: "long", day: "numeric" });
  return h("div", { class: "day" }, h("span", {}, label));
}
