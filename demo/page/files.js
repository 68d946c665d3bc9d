import { h, icon } from "./dom.js";

/** @import { FileObject } from "../workspace/types.ts" */

const PREVIEW_LINES = 8;

/** @param {FileObject[]} files */
export function renderFiles(files) {
  return h("div", { class: "files" }, ...files.map(renderFile));
}

/** @param {FileObject} file */
function renderFile(file) {
  const isImage = file.mimetype.startsWith("image/");
  const card = h(
    "div",
    { class: "file-card" },
    h("span", { class: `file-type ${file.mode}`, "aria-hidden": "true" }, extension(file)),
    h(
      "span",
      { class: "file-about" },
      h("span", { class: "file-name" }, file.title || file.name),
      h("span", { class: "file-size" }, `${file.pretty_type} · ${humanSize(file.size)}`),
    ),
    h(
      "a",
      {
        class: "download",
        href: file.url_private_download,
        download: file.name,
        "aria-label": `Download ${file.name}`,
        title: "Download",
      },
      icon("download"),
    ),
  );
  const preview = isImage ? imagePreview(file) : textPreview(file);
  return h("figure", { class: "file", "aria-label": `File ${file.name}` }, card, preview);
}

/** @param {FileObject} file */
function imagePreview(file) {
  return h("img", {
    class: "preview-image",
    src: file.url_private,
    alt: file.name,
    loading: "lazy",
  });
}

/** @param {FileObject} file */
function textPreview(file) {
  if (!file.preview) return undefined;
  const lines = file.preview.split("\n");
  const isCut = lines.length > PREVIEW_LINES || file.preview.length < file.size;
  const shown = lines.slice(0, PREVIEW_LINES).join("\n");
  return h("pre", { class: "preview-text" }, shown, isCut && h("span", { class: "more" }, "\n…"));
}

/** @param {FileObject} file */
function extension(file) {
  const found = /\.([A-Za-z0-9]{1,4})$/.exec(file.name)?.[1] ?? file.filetype;
  return found.slice(0, 4).toUpperCase();
}

/** @param {number} bytes */
export function humanSize(bytes) {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let size = bytes;
  let unit = -1;
  do {
    size /= 1_000;
    unit += 1;
  } while (size >= 999.5 && unit < units.length - 1);
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
