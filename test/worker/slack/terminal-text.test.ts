import { expect, test } from "vitest";
import { terminalText } from "../../../workers/slack/terminal-text.ts";
import { integersFrom, seed } from "../../support/random.ts";

const ESC = "\u001b";

test.each<[behaviour: string, output: string, text: string]>([
  ["plain text is left as it is", "a\n  b\tc \n", "a\n  b\tc \n"],
  ["nothing is nothing", "", ""],
  ["colours are taken out", `${ESC}[1;31merror${ESC}[0m: x`, "error: x"],
  ["colours of 24 bits with colons are taken out", `${ESC}[38:2::255:0:0mred${ESC}[m`, "red"],
  ["a one-character control sequence introducer counts too", "\u009b31mred\u009b0m", "red"],
  ["a progress bar is its last state", " 10%\r 50%\r100%\n", "100%\n"],
  ["a shorter redraw leaves the rest of the longer line", "abcdef\rxy", "xycdef"],
  ["a cleared line is gone", `downloading\r${ESC}[Kdone`, "done"],
  ["erasing to the start leaves blanks", `abc${ESC}[1Kd`, "   d"],
  ["erasing the whole line keeps the column", `abc${ESC}[2K\rd`, "d"],
  ["Windows line ends are line ends", "a\r\nb\r\n", "a\nb\n"],
  ["a backspace goes back one", "abc\b\bX", "aXc"],
  ["backspaces stop at the start of the line", "a\b\b\bb\n\bc", "b\nc"],
  ["bold by overstriking, as man does it, is the letter once", "N\bNA\bAM\bME\bE", "NAME"],
  ["underlining by overstriking is the letter", "_\ba_\bb", "ab"],
  ["window titles are taken out", `${ESC}]0;title\u0007a${ESC}]2;other${ESC}\\b`, "ab"],
  [
    "a link is its words",
    `${ESC}]8;;https://example.com${ESC}\\here${ESC}]8;;${ESC}\\ now`,
    "here now",
  ],
  ["device control strings are taken out", `a${ESC}P1$r0m${ESC}\\b`, "ab"],
  ["character set choices are taken out", `${ESC}(B${ESC})0text${ESC}=`, "text"],
  ["modes and cursor visibility are taken out", `${ESC}[?25lspin${ESC}[?25h`, "spin"],
  ["rows drawn over are their last state", `a 1\nb 1\n${ESC}[2Aa 2\nb 2\n`, "a 2\nb 2\n"],
  ["everything below is erased", `one\ntwo\nthree${ESC}[1A\r${ESC}[Jnew`, "one\nnew"],
  ["a column is gone to", `abc${ESC}[2GX`, "aXc"],
  ["going right fills with blanks", `a${ESC}[3Cb`, "a   b"],
  ["bells, form feeds, deletes and NULs are taken out", "a\u0007b\fc\u007fd\0e", "abcde"],
  ["an unfinished sequence at the end is no text", `done${ESC}[3`, "done"],
  ["a lone escape at the end is no text", `done${ESC}`, "done"],
  ["an unfinished title does not swallow what comes after a bell", `${ESC}]0;x\u0007y`, "y"],
  ["an emoji is one character to go back over", "a👍\bb", "ab"],
  ["wide text before a redraw is redrawn as a whole", "日本\r日", "日本"],
])("%s", (_behaviour, output, text) => {
  expect(terminalText(output)).toBe(text);
});

test("an unfinished title of any length does not swallow all output", () => {
  const text = terminalText(`${ESC}]0;${"x".repeat(10_000)}`);
  expect(text).toContain("x".repeat(1_000));
});

test("a jump to a huge column makes no huge line", () => {
  const text = terminalText(`${ESC}[999999999Cx\n`.repeat(100));
  expect(text.length).toBeLessThan(200_000);
});

test("bytes of every kind in any order are taken, and no control character is left", () => {
  const random = integersFrom(seed);
  const pieces = [
    ESC,
    "[",
    "]",
    "\r",
    "\n",
    "\b",
    "A",
    "K",
    "J",
    "m",
    "1",
    ";",
    "9",
    "\u0007",
    "\\",
  ];
  for (let round = 0; round < 2_000; round++) {
    let output = "";
    for (let at = 0; at < 40; at++) output += pieces[random(pieces.length)];
    const text = terminalText(output);
    expect(text, `MOM_SEED=${seed} round ${round}`).not.toMatch(/[^\P{Cc}\n\t]/u);
  }
});
