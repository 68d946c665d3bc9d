import { describe, expect, test } from "vitest";
import { parseRichText } from "../../src/slack/rich-text.ts";

const section = (...elements: unknown[]) => [
  { type: "rich_text", elements: [{ type: "rich_text_section", elements }] },
];
const text = (shown: string, style?: object) => ({
  type: "text",
  text: shown,
  ...(style ? { style } : {}),
});
const plain = (shown: string) => [{ kind: "text", text: shown }];

describe("a rich_text block is read as its writer typed it", () => {
  const cases: [what: string, elements: unknown[], typed: string][] = [
    ["text has its punctuation made plain", [text("echo “a” —x")], 'echo "a" --x'],
    ["text holds no entities", [text("a && b < c &amp;")], "a && b < c &amp;"],
    [
      "a link shows its label",
      [text("ping "), { type: "link", url: "http://example.com", text: "example.com" }],
      "ping example.com",
    ],
    [
      "a link without a label is its address",
      [{ type: "link", url: "https://x.org/a—b" }],
      "https://x.org/a—b",
    ],
    ["a mail link is the address", [{ type: "link", url: "mailto:a@b.c" }], "a@b.c"],
    [
      "typed marks come back",
      [text("rm "), text(".log ", { bold: true }), text("x", { italic: true, strike: true })],
      "rm *.log *_~x~_",
    ],
    ["a channel by name", [{ type: "channel", channel_id: "C1", name: "general" }], "#general"],
    ["a channel without one", [{ type: "channel", channel_id: "C1" }], "#C1"],
    ["everybody", [{ type: "broadcast", range: "here" }], "@here"],
    ["a group", [{ type: "usergroup", usergroup_id: "S1" }], "@S1"],
    ["a color", [{ type: "color", value: "#ff0000" }], "#ff0000"],
    [
      "an emoji is its character",
      [text('echo "'), { type: "emoji", name: "tada", unicode: "1f389" }, text('"')],
      'echo "🎉"',
    ],
    [
      "an emoji of several characters",
      [{ type: "emoji", name: "wave", unicode: "1f44b-1f3fb" }],
      "👋🏻",
    ],
    [
      "an emoji within a word was typed as its name",
      [text("a[1"), { type: "emoji", name: "100", unicode: "1f4af" }, text("2]")],
      "a[1:100:2]",
    ],
    ["an emoji of the workspace's own", [{ type: "emoji", name: "parrot" }], ":parrot:"],
    ["line ends of Windows are made plain", [text("a\r\nb\r")], "a\nb\n"],
    ["an element of a kind to come", [text("ls"), { type: "hologram" }], "ls"],
  ];
  test.each(cases)("%s", (_what, elements, typed) => {
    expect(parseRichText(section(...elements))).toEqual(plain(typed));
  });

  test("code is taken as it is, links within it too", () => {
    const code = { code: true };
    expect(
      parseRichText(
        section(text("curl “", code), { type: "link", url: "https://x.org", style: code }),
      ),
    ).toEqual([{ kind: "code", text: "curl “https://x.org" }]);
  });

  test("people stay people", () => {
    expect(parseRichText(section({ type: "user", user_id: "U1" }, text(" ls")))).toEqual([
      { kind: "user", userId: "U1" },
      { kind: "text", text: " ls" },
    ]);
  });

  test("a preformatted part is a fence, with the language where there is one", () => {
    const part = { type: "rich_text_preformatted", elements: [text("print(“1”)\n")] };
    expect(parseRichText([{ type: "rich_text", elements: [part] }])).toEqual([
      { kind: "fence", text: "print(“1”)" },
    ]);
    expect(
      parseRichText([{ type: "rich_text", elements: [{ ...part, language: "python" }] }]),
    ).toMatchObject([{ language: "python" }]);
  });

  test("lists and quotes get their marks back", () => {
    const item = (shown: string) => ({ type: "rich_text_section", elements: [text(shown)] });
    const elements = [
      { type: "rich_text_list", style: "bullet", indent: 1, elements: [item("a"), item("b")] },
      { type: "rich_text_list", style: "ordered", offset: 2, elements: [item("c")] },
      { type: "rich_text_quote", elements: [text("d")] },
    ];
    expect(parseRichText([{ type: "rich_text", elements }])).toEqual(
      plain("  - a\n  - b\n3. c\n> d\n"),
    );
  });
});

describe("other blocks are left to the message's text", () => {
  const cases: [what: string, blocks: unknown][] = [
    ["no blocks", undefined],
    ["an empty list", []],
    ["a section of an app", [{ type: "section", text: { type: "mrkdwn", text: "ls" } }]],
    ["rich text beside another block", [...section(text("ls")), { type: "divider" }]],
    ["a part of a kind to come", [{ type: "rich_text", elements: [{ type: "rich_text_song" }] }]],
    ["no list at all", "rich_text"],
  ];
  test.each(cases)("%s", (_what, blocks) => {
    expect(parseRichText(blocks)).toBeUndefined();
  });
});
