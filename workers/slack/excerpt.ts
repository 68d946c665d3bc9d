import { escapedLength } from "./mrkdwn.ts";

export interface ExcerptLimits {
  /** Most characters after escaping. */
  maxLength: number;
  maxLines: number;
}

export interface Excerpt {
  text: string;
  /** Whether something was left out. */
  isCut: boolean;
}

/** A third for the beginning, the rest for the end, where results and errors stand. */
const HEAD_SHARE = 1 / 3;
/** Room for the line that says how much is missing. */
const MARKER_LENGTH = 60;

/** All of a text if it is short enough, else its first and last lines with a note of how much is missing. */
export function headAndTail(text: string, limits: ExcerptLimits): Excerpt {
  if (fits(text, limits)) return { text, isCut: false };
  const lines = text.split("\n");
  return { text: joinEnds(lines, lines, lines.length, limits), isCut: true };
}

/** The same of a text of which only the beginning and the end are at hand. */
export function headAndTailOf(
  start: string,
  end: string,
  totalLines: number,
  limits: ExcerptLimits,
): Excerpt {
  return { text: joinEnds(start.split("\n"), end.split("\n"), totalLines, limits), isCut: true };
}

/** The end of a text, for output that is still growing. */
export function tailOf(text: string, limits: ExcerptLimits): Excerpt {
  if (fits(text, limits)) return { text, isCut: false };
  const tail = lastLines(text.split("\n"), limits.maxLines, limits.maxLength);
  return { text: tail.length > 0 ? tail.join("\n") : endOf(text, limits.maxLength), isCut: true };
}

function fits(text: string, limits: ExcerptLimits): boolean {
  return (
    text.length <= limits.maxLength &&
    escapedLength(text) <= limits.maxLength &&
    text.split("\n").length <= limits.maxLines
  );
}

function joinEnds(
  startLines: string[],
  endLines: string[],
  totalLines: number,
  limits: ExcerptLimits,
): string {
  const room = limits.maxLength - MARKER_LENGTH;
  const headRoom = Math.floor(room * HEAD_SHARE);
  const headLines = Math.floor(limits.maxLines * HEAD_SHARE);
  const head = takeLines(startLines, headLines, headRoom);
  const tail = lastLines(endLines, limits.maxLines - headLines, room - headRoom);
  const missing = totalLines - head.length - tail.length;
  if (head.length > 0 && tail.length > 0 && missing > 0) {
    const marker = `… ${missing.toLocaleString("en-US")} ${missing === 1 ? "line" : "lines"} not shown …`;
    return [...head, marker, ...tail].join("\n");
  }
  const start = startOf(startLines.join("\n"), headRoom);
  const end = endOf(endLines.join("\n"), room - headRoom);
  return `${start}\n… part of a long line not shown …\n${end}`;
}

function lastLines(lines: string[], maxLines: number, maxLength: number): string[] {
  return takeLines(lines.toReversed(), maxLines, maxLength).reverse();
}

/** Whole lines from the front as far as they fit. */
function takeLines(lines: readonly string[], maxLines: number, maxLength: number): string[] {
  const taken: string[] = [];
  let length = 0;
  for (const line of lines) {
    if (taken.length === maxLines) break;
    length += escapedLength(line) + 1;
    if (length > maxLength) break;
    taken.push(line);
  }
  return taken;
}

function startOf(text: string, maxLength: number): string {
  return takeCharacters(charactersOf(text.slice(0, maxLength)), maxLength).join("");
}

function endOf(text: string, maxLength: number): string {
  return takeCharacters(charactersOf(text.slice(-maxLength)).reverse(), maxLength)
    .reverse()
    .join("");
}

/** A cut through a surrogate pair leaves half of it at an end, which is no character. */
function charactersOf(piece: string): string[] {
  return Array.from(piece.replaceAll(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, ""));
}

function takeCharacters(characters: string[], maxLength: number): string[] {
  let length = 0;
  const end = characters.findIndex((character) => {
    length += escapedLength(character);
    return length > maxLength;
  });
  return end === -1 ? characters : characters.slice(0, end);
}
