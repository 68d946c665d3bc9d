/**
 * What a person would see on a terminal after this output, as plain text: colours gone, progress bars that
 * draw over themselves collapsed to their last state, links reduced to their words.
 *
 * A screen without width or height: lines never wrap, and what scrolled off is still there. Of the movements
 * only those that programs use to redraw a few lines are followed (ECMA-48, xterm's ctlseqs); everything
 * else that is not text is dropped. Every character counts as one cell.
 */
export function terminalText(output: string): string {
  const screen = new Screen();
  let at = 0;
  while (at < output.length) {
    const next = nextControl(output, at);
    if (next > at) screen.write(output.slice(at, next));
    at = next < output.length ? applyControl(screen, output, next) : next;
  }
  return screen.text();
}

/** Lines of cells; a line that nothing drew over stays a string. */
class Screen {
  readonly #lines: (string | string[])[] = [""];
  #row = 0;
  #column = 0;

  write(text: string): void {
    const line = this.#lines[this.#row] ?? "";
    if (typeof line === "string" && this.#column === line.length && !hasSurrogates(text)) {
      this.#lines[this.#row] = line + text;
      this.#column += text.length;
      return;
    }
    const cells = typeof line === "string" ? [...line] : line;
    while (cells.length < this.#column) cells.push(" ");
    for (const character of text) cells[this.#column++] = character;
    this.#lines[this.#row] = cells;
  }

  newLine(): void {
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#lines.length) this.#lines.push("");
  }

  carriageReturn(): void {
    this.#column = 0;
  }

  left(cells: number): void {
    this.#column = Math.max(0, this.#column - cells);
  }

  right(cells: number): void {
    this.toColumn(this.#column + cells);
  }

  toColumn(column: number): void {
    this.#column = Math.min(column, MAX_COLUMN);
  }

  up(rows: number): void {
    this.#row = Math.max(0, this.#row - rows);
  }

  down(rows: number): void {
    this.#row = Math.min(this.#lines.length - 1, this.#row + rows);
  }

  /** EL: from the cursor to the end (0), from the start to the cursor (1), all of the line (2). */
  eraseLine(mode: number): void {
    const line = this.#lines[this.#row] ?? "";
    const cells = typeof line === "string" ? [...line] : line;
    if (mode === 0) cells.length = Math.min(cells.length, this.#column);
    if (mode === 1) cells.fill(" ", 0, this.#column + 1);
    if (mode === 2) cells.length = 0;
    this.#lines[this.#row] = cells;
  }

  /** ED with 0: what stands right of and below the cursor. */
  eraseBelow(): void {
    this.eraseLine(0);
    this.#lines.length = this.#row + 1;
  }

  text(): string {
    return this.#lines
      .map((line) => (typeof line === "string" ? line : line.join("").trimEnd()))
      .join("\n");
  }
}

const ESC = "\u001b";
const BEL = "\u0007";
const CSI = "\u009b";
const ST = "\u009c";
/** A column to jump to comes from the output: a huge one must not become a huge line. */
const MAX_COLUMN = 1_000;
/** No real title or link is longer; an unfinished one must not swallow the rest of the output. */
const MAX_STRING_LENGTH = 4_096;

/** C0 but the tab, DEL, and C1. */
const CONTROL = /[^\P{Cc}\t]/gu;
const CSI_BODY = /([0-?]*)[ -/]*([@-~])/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: BEL, ESC and ST end it
const STRING_BODY = /[^\u0007\u001b\u009c]*/y;

function nextControl(output: string, from: number): number {
  CONTROL.lastIndex = from;
  return CONTROL.exec(output)?.index ?? output.length;
}

/** Follow the control character at `at`; gives the position after it and what belongs to it. */
function applyControl(screen: Screen, output: string, at: number): number {
  switch (output[at]) {
    case "\n":
      screen.newLine();
      return at + 1;
    case "\r":
      screen.carriageReturn();
      return at + 1;
    case "\b":
      screen.left(1);
      return at + 1;
    case CSI:
      return applyCsi(screen, output, at + 1);
    case ESC:
      return applyEscape(screen, output, at + 1);
    default:
      return at + 1;
  }
}

function applyEscape(screen: Screen, output: string, at: number): number {
  const kind = output[at];
  if (kind === undefined) return at;
  if (kind === "[") return applyCsi(screen, output, at + 1);
  // OSC, DCS, SOS, PM, APC: a string for the terminal itself.
  if ("]PX^_".includes(kind)) return skipString(output, at + 1);
  // nF: intermediates, then one final byte (ESC ( B).
  let end = at;
  while (end < output.length && isBetween(output[end], " ", "/")) end++;
  return isBetween(output[end], "0", "~") ? end + 1 : end;
}

function applyCsi(screen: Screen, output: string, at: number): number {
  CSI_BODY.lastIndex = at;
  const match = CSI_BODY.exec(output);
  if (!match) return at + unfinishedLength(output, at);
  const first = match[1] ?? "";
  const number = /^\d+/.test(first) ? Number.parseInt(first, 10) : undefined;
  const count = Math.min(Math.max(1, number ?? 1), MAX_COLUMN);
  switch (match[2]) {
    case "A":
      screen.up(count);
      break;
    case "B":
      screen.down(count);
      break;
    case "C":
      screen.right(count);
      break;
    case "D":
      screen.left(count);
      break;
    case "E":
      screen.down(count);
      screen.carriageReturn();
      break;
    case "F":
      screen.up(count);
      screen.carriageReturn();
      break;
    case "G":
      screen.toColumn(count - 1);
      break;
    case "K":
      screen.eraseLine(number ?? 0);
      break;
    case "J":
      if ((number ?? 0) === 0) screen.eraseBelow();
      break;
  }
  return at + match[0].length;
}

/** A sequence that is broken off: its parameters are no text either. */
function unfinishedLength(output: string, at: number): number {
  let end = at;
  while (end < output.length && isBetween(output[end], " ", "?")) end++;
  return end - at;
}

function skipString(output: string, at: number): number {
  STRING_BODY.lastIndex = at;
  const body = STRING_BODY.exec(output)?.[0] ?? "";
  if (body.length > MAX_STRING_LENGTH) return at;
  const end = at + body.length;
  if (output[end] === BEL || output[end] === ST) return end + 1;
  return output.startsWith(`${ESC}\\`, end) ? end + 2 : end;
}

function isBetween(character: string | undefined, low: string, high: string): boolean {
  return character !== undefined && character >= low && character <= high;
}

function hasSurrogates(text: string): boolean {
  return /[\ud800-\udfff]/.test(text);
}
