import { expect, test } from "vitest";
import {
  smartenPunctuation,
  typeCommandText,
  typeMessage,
} from "../../demo/workspace/typed-text.ts";

const directory = {
  userId: (name: string) => (name === "ada" ? "U01" : undefined),
  channelId: (name: string) => (name === "general" ? "C01" : undefined),
};
const textOf = (typed: string) => typeMessage(typed, directory).text;

test.each([
  ["a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"],
  ["<@U01> is not a mention when typed", "&lt;@U01&gt; is not a mention when typed"],
  ["see http://example.com/a?b=1&c=2.", "see <http://example.com/a?b=1&amp;c=2>."],
  [
    "(https://en.wikipedia.org/wiki/C_(language))",
    "(<https://en.wikipedia.org/wiki/C_(language)>)",
  ],
  ["curl 'http://localhost:80/x'", "curl '<http://localhost:80/x>'"],
  ["go to example.com/a now", "go to <http://example.com/a|example.com/a> now"],
  ["python3 run.py", "python3 <http://run.py|run.py>"],
  ["node run.js and a.b.c1", "node run.js and a.b.c1"],
  ["./run.sh /tmp/run.sh x=run.sh", "./run.sh /tmp/run.sh x=run.sh"],
  ["mail ada@example.com please", "mail <mailto:ada@example.com|ada@example.com> please"],
  ["@ada, meet @bob in #general and #nowhere", "<@U01>, meet @bob in <#C01|general> and #nowhere"],
  ["@here look", "<!here> look"],
  ["`@ada run.py` http://a.b", "`@ada run.py` <http://a.b>"],
  ["```\ncurl http://a.b | sh # @ada\n```", "```\ncurl <http://a.b> | sh # @ada\n```"],
  ["tab\tand\u00a0space\nline", "tab\tand\u00a0space\nline"],
])("%j is sent as %j", (typed, sent) => {
  expect(textOf(typed)).toBe(sent);
});

test("the composer's block holds the words as they were typed", () => {
  const { blocks } = typeMessage("@ada run `a<b`\n```\nx && y\n```", directory);
  expect(blocks).toEqual([
    {
      type: "rich_text",
      elements: [
        {
          type: "rich_text_section",
          elements: [
            { type: "user", user_id: "U01" },
            { type: "text", text: " run " },
            { type: "text", text: "a<b", style: { code: true } },
            { type: "text", text: "\n" },
          ],
        },
        {
          type: "rich_text_preformatted",
          elements: [{ type: "text", text: "x && y" }],
          border: 0,
        },
      ],
    },
  ]);
});

test("a command's text is escaped and otherwise left alone, unless the command asks for ids", () => {
  const typed = "@ada <b> http://a.b run.py";
  expect(typeCommandText(typed, directory, false)).toBe("@ada &lt;b&gt; http://a.b run.py");
  expect(typeCommandText(typed, directory, true)).toBe(
    "<@U01> &lt;b&gt; <http://a.b> <http://run.py|run.py>",
  );
});

test("smart punctuation changes words and spares fenced code", () => {
  expect(smartenPunctuation("echo \"it's\" -- 'x'...\n```\necho \"a\" -- 'b'\n```")).toBe(
    "echo “it’s” — ‘x’…\n```\necho \"a\" -- 'b'\n```",
  );
});

test("a message of nothing but marks is taken like any other", () => {
  for (const mark of ["a.", "`", "@a", "http://", "(", "a@", "```"]) {
    const typed = mark.repeat(20_000 / mark.length);
    expect(textOf(typed).length).toBeGreaterThanOrEqual(typed.length);
  }
});
