/** A message as its writer meant it: what was written as code, who was mentioned, and the rest. */
export type Segment =
  /** Prose: Slack or a phone's keyboard may have made its quotes and dashes typographic. */
  | { kind: "text"; text: string }
  /** Between single backticks: exactly as typed. */
  | { kind: "code"; text: string }
  /** A block of code: exactly as typed. `language` where the client names one apart from the text. */
  | { kind: "fence"; text: string; language?: string }
  | { kind: "user"; userId: string };

/** Segments in order, neighbours of one kind joined, empty ones left out. */
export function joined(segments: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const segment of segments) {
    const last = result.at(-1);
    if (segment.kind !== "user" && segment.kind !== "fence" && segment.text === "") continue;
    if (last && segment.kind === "text" && last.kind === "text") {
      result[result.length - 1] = { kind: "text", text: last.text + segment.text };
    } else if (last && segment.kind === "code" && last.kind === "code") {
      result[result.length - 1] = { kind: "code", text: last.text + segment.text };
    } else {
      result.push(segment);
    }
  }
  return result;
}

/** Line ends as shells and interpreters know them: text that comes from Windows has others. */
export function unixLines(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n");
}

/**
 * Undo what keyboards and word processors do to a command line: curly quotes, long dashes (an em dash comes
 * from `--`), spaces that no shell splits at, and invisible characters.
 */
export function plainPunctuation(text: string): string {
  return text
    .replaceAll(/[“”„‟]/g, '"')
    .replaceAll(/[‘’‚‛]/g, "'")
    .replaceAll("—", "--")
    .replaceAll("–", "-")
    .replaceAll(/[\u00a0\u2007\u202f]/g, " ")
    .replaceAll(/[\u200b\u2060\ufeff]/g, "");
}
