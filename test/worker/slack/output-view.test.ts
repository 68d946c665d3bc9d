import { expect, test } from "vitest";
import { escapedLength } from "../../../workers/slack/mrkdwn.ts";
import { viewGrowing, viewOutput } from "../../../workers/slack/output-view.ts";

const limits = { maxLength: 400, maxLines: 12 };

function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${index + 1}`).join("\n");
}

function textOf(output: string | Uint8Array): string {
  const view = viewOutput(Buffer.from(output), limits);
  return view.kind === "text" ? view.text : view.kind;
}

test("short output is shown whole, without the line feeds at its end", () => {
  expect(viewOutput(Buffer.from("hi\n\n"), limits)).toEqual({
    kind: "text",
    text: "hi",
    isWhole: true,
  });
});

test("no output, and nothing but line feeds and colours, is empty", () => {
  for (const output of ["", "\n\n", "\u001b[0m"]) {
    expect(viewOutput(Buffer.from(output), limits)).toEqual({ kind: "empty" });
  }
});

test("long output is its first and last lines and the number of those between", () => {
  const text = textOf(`${lines(100)}\n`);
  expect(text.split("\n")).toEqual([
    "line 1",
    "line 2",
    "line 3",
    "line 4",
    "… 88 lines not shown …",
    "line 93",
    "line 94",
    "line 95",
    "line 96",
    "line 97",
    "line 98",
    "line 99",
    "line 100",
  ]);
});

test("very long output has the same form, with all its lines counted", () => {
  const shown = textOf(`${lines(200_000)}\n`).split("\n");
  expect(shown.slice(0, 5)).toEqual([
    "line 1",
    "line 2",
    "line 3",
    "line 4",
    "… 199,988 lines not shown …",
  ]);
  expect(shown.at(-1)).toBe("line 200000");
});

test("what is not shown whole says so", () => {
  expect(viewOutput(Buffer.from(lines(13)), limits)).toMatchObject({ isWhole: false });
  expect(viewOutput(Buffer.from(lines(12)), limits)).toMatchObject({ isWhole: true });
});

test.each([
  ["one endless line", "x".repeat(100_000)],
  ["one endless line above the limit of what is read whole", "x".repeat(1_000_000)],
  ["escapes that grow", "<&>".repeat(5_000)],
  ["nothing but backticks", "`".repeat(5_000)],
  ["emoji", "👍".repeat(5_000)],
  ["a long line between short ones", `a\n${"y".repeat(5_000)}\nb\n`],
  ["long lines of escapes", `${"&".repeat(300)}\n`.repeat(50)],
])("%s stays below the limit", (_what, output) => {
  const text = textOf(output);
  expect(escapedLength(text)).toBeLessThanOrEqual(limits.maxLength);
  expect(text).toMatch(/not shown/);
  expect(text.isWellFormed()).toBe(true);
});

test("three backticks in the output do not end the code block", () => {
  expect(textOf("a ``` b")).not.toContain("```");
  expect(textOf("a ``` b").replaceAll("\u200b", "")).toBe("a ``` b");
});

test("binary output is told by its size", () => {
  const binary = Uint8Array.from({ length: 3_000 }, (_, index) => (index * 7_919) & 0xff);
  expect(viewOutput(binary, limits)).toEqual({ kind: "binary", note: "(binary output, 2.9 KB)" });
  expect(viewOutput(Buffer.from("text\0text"), limits).kind).toBe("binary");
  expect(viewOutput(Uint8Array.of(0xff, 0xfe), limits).kind).toBe("binary");
});

test("a few bytes that are not UTF-8 are shown as such, and the output counts as not whole", () => {
  const latin1 = Buffer.concat([
    Buffer.from("caf"),
    Uint8Array.of(0xe9),
    Buffer.from(" au lait, s'il vous plait"),
  ]);
  expect(viewOutput(latin1, limits)).toEqual({
    kind: "text",
    text: "caf\ufffd au lait, s'il vous plait",
    isWhole: false,
  });
});

test("growing output is shown by its last lines", () => {
  const bytes = Buffer.from(lines(100));
  expect(viewGrowing(bytes, bytes.length, { maxLength: 400, maxLines: 2 })).toBe(
    "line 99\nline 100",
  );
});

test("growing output that ends within a character is shown up to it", () => {
  const bytes = Buffer.from("ab€").subarray(0, 4);
  expect(viewGrowing(bytes, 4, limits)).toBe("ab");
});

test("nothing to see yet is nothing", () => {
  expect(viewGrowing(new Uint8Array(), 0, limits)).toBeUndefined();
});
