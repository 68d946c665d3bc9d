import { createHash } from "node:crypto";

/** NAME_MAX of Linux, in bytes. */
const MAX_NAME_BYTES = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const UNSAFE = /[\u0000-\u001f\u007f-\u009f/\\\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * A name for a file in the working directory, made of what a person called it in Slack: one path component,
 * no option by accident, nothing invisible; as close to the original as that allows.
 */
export function safeFileName(name: string): string {
  const cleaned = name.toWellFormed().normalize("NFC").replaceAll(UNSAFE, "_").trim();
  const named = cleaned.replace(/^-/, "_").replace(/^\.{1,2}$/, "");
  return shorten(named === "" ? "file" : named);
}

/** Safe names, each different from the others: a second `a.csv` becomes `a-2.csv`. */
export function safeFileNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const safe = safeFileName(name);
    let unique = safe;
    for (let number = 2; taken.has(unique); number++) unique = withSuffix(safe, `-${number}`);
    taken.add(unique);
    return unique;
  });
}

function withSuffix(name: string, suffix: string): string {
  const { stem, extension } = splitExtension(name);
  const room = MAX_NAME_BYTES - Buffer.byteLength(suffix + extension);
  return `${cutBytes(stem, room)}${suffix}${extension}`;
}

/** The extension is kept, and a digest tells long names with one beginning apart. */
function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return withSuffix(name, `-${digest}`);
}

function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 ? name.slice(dot) : "";
  if (extension.length < 2 || Buffer.byteLength(extension) > 20)
    return { stem: name, extension: "" };
  return { stem: name.slice(0, dot), extension };
}

function cutBytes(text: string, maxBytes: number): string {
  let cut = "";
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}
