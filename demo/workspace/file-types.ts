interface FileType {
  mimetype: string;
  filetype: string;
  prettyType: string;
  isText: boolean;
}

/** Extension → Slack's file type, label, MIME type. Source: https://docs.slack.dev/reference/objects/file-object#types */
const KNOWN: Record<string, [filetype: string, prettyType: string, mimetype: string]> = {
  txt: ["text", "Plain Text", "text/plain"],
  log: ["text", "Plain Text", "text/plain"],
  csv: ["csv", "CSV", "text/csv"],
  tsv: ["tsv", "TSV", "text/tab-separated-values"],
  md: ["markdown", "Markdown (raw)", "text/plain"],
  json: ["json", "JSON", "text/plain"],
  yaml: ["yaml", "YAML", "text/plain"],
  yml: ["yaml", "YAML", "text/plain"],
  xml: ["xml", "XML", "text/plain"],
  html: ["html", "HTML", "text/html"],
  css: ["css", "CSS", "text/css"],
  js: ["javascript", "JavaScript", "text/javascript"],
  ts: ["typescript", "TypeScript", "text/plain"],
  py: ["python", "Python", "text/x-python"],
  sh: ["shell", "Shell", "text/x-sh"],
  c: ["c", "C", "text/x-csrc"],
  go: ["go", "Go", "text/plain"],
  rs: ["rust", "Rust", "text/plain"],
  sql: ["sql", "SQL", "text/plain"],
  png: ["png", "PNG", "image/png"],
  jpg: ["jpg", "JPEG", "image/jpeg"],
  jpeg: ["jpg", "JPEG", "image/jpeg"],
  gif: ["gif", "GIF", "image/gif"],
  webp: ["webp", "WebP", "image/webp"],
  svg: ["svg", "SVG", "image/svg+xml"],
  pdf: ["pdf", "PDF", "application/pdf"],
  zip: ["zip", "Zip", "application/zip"],
  gz: ["gzip", "Gzip", "application/gzip"],
  tar: ["tar", "Tar", "application/x-tar"],
  mp4: ["mp4", "MPEG 4 Video", "video/mp4"],
  mp3: ["mp3", "MP3", "audio/mpeg"],
  xlsx: [
    "xlsx",
    "Excel Spreadsheet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ],
};

const SNIFF_BYTES = 8_192;
const SNIPPET_MAX_BYTES = 1024 * 1024;
const BINARY_FILETYPES = new Set("png jpg gif webp svg pdf zip gzip tar mp4 mp3 xlsx".split(" "));

/** What Slack would make of a file, by its name and first bytes. */
export function fileType(name: string, bytes: Uint8Array): FileType {
  const extension = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  const looksLikeText = bytes.byteLength <= SNIPPET_MAX_BYTES && isText(bytes);
  const known = Object.hasOwn(KNOWN, extension) ? KNOWN[extension] : undefined;
  if (known) {
    const [filetype, prettyType, mimetype] = known;
    return {
      filetype,
      prettyType,
      mimetype,
      isText: looksLikeText && !BINARY_FILETYPES.has(filetype),
    };
  }
  return looksLikeText
    ? { filetype: "text", prettyType: "Plain Text", mimetype: "text/plain", isText: true }
    : {
        filetype: "binary",
        prettyType: "Binary",
        mimetype: "application/octet-stream",
        isText: false,
      };
}

function isText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, SNIFF_BYTES);
  if (head.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
