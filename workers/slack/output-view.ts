import { type ExcerptLimits, headAndTail, headAndTailOf, tailOf } from "./excerpt.ts";
import { breakFences } from "./mrkdwn.ts";
import { formatBytes } from "./quantities.ts";
import { terminalText } from "./terminal-text.ts";

/** How a stream of output is shown to people. */
export type OutputView =
  | { kind: "empty" }
  /** `isWhole`: the text says all there was, so that nothing needs to be attached. */
  | { kind: "text"; text: string; isWhole: boolean }
  | { kind: "binary"; note: string };

/** Above this, only both ends are looked at: a view of a few lines must not cost the time of them all. */
const WHOLE_LIMIT_BYTES = 256 * 1024;
const END_BYTES = 64 * 1024;
/** A text in another encoding has some bytes that are not UTF-8; noise has a third and more. */
const MAX_BROKEN_SHARE = 0.1;
const LINE_FEED = 10;

export function viewOutput(bytes: Uint8Array, limits: ExcerptLimits): OutputView {
  if (bytes.length === 0) return { kind: "empty" };
  if (bytes.length > WHOLE_LIMIT_BYTES) return viewEnds(bytes, limits);
  const decoded = decode(bytes);
  if (decoded.isBinary) return binary(bytes.length);
  const text = shown(decoded.text);
  if (text === "") return { kind: "empty" };
  const excerpt = headAndTail(text, limits);
  return { kind: "text", text: excerpt.text, isWhole: !excerpt.isCut && !decoded.isLossy };
}

/**
 * The last lines of output that is still coming, of which the end is at hand; `undefined` where there is
 * nothing to see.
 */
export function viewGrowing(
  end: Uint8Array,
  totalBytes: number,
  limits: ExcerptLimits,
): string | undefined {
  const decoded = decode(lastPart(end));
  if (decoded.isBinary) return binary(totalBytes).note;
  return tailOf(shown(decoded.text), limits).text || undefined;
}

function viewEnds(bytes: Uint8Array, limits: ExcerptLimits): OutputView {
  const start = decode(firstPart(bytes));
  const end = decode(lastPart(bytes));
  if (start.isBinary || end.isBinary) return binary(bytes.length);
  const { text } = headAndTailOf(shown(start.text), shown(end.text), countLines(bytes), limits);
  return { kind: "text", text, isWhole: false };
}

function binary(totalBytes: number) {
  return { kind: "binary" as const, note: `(binary output, ${formatBytes(totalBytes)})` };
}

/** As a terminal would show it, without the line feeds at the end, and with nothing that ends a code block. */
function shown(decoded: string): string {
  return breakFences(terminalText(decoded).replace(/\n+$/, ""));
}

function decode(bytes: Uint8Array): { text: string; isBinary: boolean; isLossy: boolean } {
  const text = new TextDecoder().decode(bytes);
  const broken = text.split("\ufffd").length - 1;
  const isBinary = text.includes("\0") || broken > bytes.length * MAX_BROKEN_SHARE;
  return { text, isBinary, isLossy: broken > 0 };
}

/** Whole lines where there are any: a cut must not go through a character or an escape sequence. */
function firstPart(bytes: Uint8Array): Uint8Array {
  const part = bytes.subarray(0, END_BYTES);
  const lineEnd = part.lastIndexOf(LINE_FEED);
  return lineEnd > 0 ? part.subarray(0, lineEnd) : withoutBrokenEnds(part);
}

function lastPart(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= END_BYTES) return withoutBrokenEnds(bytes);
  const part = bytes.subarray(-END_BYTES);
  const lineEnd = part.indexOf(LINE_FEED);
  const hasMore = lineEnd >= 0 && lineEnd < part.length - 1;
  return withoutBrokenEnds(hasMore ? part.subarray(lineEnd + 1) : part);
}

function withoutBrokenEnds(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start++;
  let end = bytes.length;
  const last = bytes.findLastIndex((byte) => !isContinuation(byte));
  if (last >= 0 && bytes.length - last < sequenceLength(bytes[last])) end = last;
  return start < end ? bytes.subarray(start, end) : bytes;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** RFC 3629, section 3. */
function sequenceLength(byte = 0): number {
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  return byte >= 0xc0 ? 2 : 1;
}

function countLines(bytes: Uint8Array): number {
  const end = bytes.findLastIndex((byte) => byte !== LINE_FEED);
  let lines = 1;
  for (
    let at = bytes.indexOf(LINE_FEED);
    at !== -1 && at < end;
    at = bytes.indexOf(LINE_FEED, at + 1)
  ) {
    lines++;
  }
  return lines;
}
