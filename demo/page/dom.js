/**
 * Makes an element. `on…` attributes are listeners, `false` and `undefined` leave an attribute away; children
 * are nodes or text, never HTML, so that nothing a message says becomes markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | undefined | ((event: any) => void)>} [attributes]
 * @param {...(Node | string | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

const ICONS = {
  attach: "M8 12.5 14 6.4a3 3 0 0 1 4.3 4.2l-8 8.1a5 5 0 0 1-7-7.1l7.6-7.7",
  send: "M4 12 3 4l18 8-18 8 1-8Zm0 0h8",
  close: "m6 6 12 12M18 6 6 18",
  reply: "M4 5h16v11H11l-5 4v-4H4Z",
  react:
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-3.5 6.5h.01m6.99 0h.01M8 14c1 2 2.400 3 4 3s3-1 4-3",
  edit: "m4 20 1-4L16 5l3 3L8 19Z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  menu: "M4 6h16M4 12h16M4 18h16",
  download: "M12 4v11m0 0 4-4m-4 4-4-4M5 20h14",
  stop: "M7 7h10v10H7Z",
};

/** @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Initials on a colour of one's own.
 * @param {string} name
 * @param {boolean} isBot
 */
export function avatar(name, isBot) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  const initials = name
    .split(/\s+/)
    .map((word) => word[0] ?? "")
    .join("")
    .slice(0, 2)
    .toUpperCase();
  const element = h(
    "span",
    { class: isBot ? "avatar bot" : "avatar", "aria-hidden": "true" },
    initials,
  );
  element.style.setProperty("--hue", String(isBot ? 262 : hash % 360));
  return element;
}
