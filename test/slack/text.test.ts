import { describe, expect, test } from "vitest";
import type { Segment } from "../../src/slack/segments.ts";
import { parseText } from "../../src/slack/text.ts";

/** Segments in one line: `code`, ```fence```, @U1. */
function shown(segments: Segment[]): string {
  return segments
    .map((segment) => {
      if (segment.kind === "user") return `{@${segment.userId}}`;
      return segment.kind === "text" ? segment.text : `{${segment.kind}:${segment.text}}`;
    })
    .join("");
}

describe("what Slack does to text is undone", () => {
  const cases: [what: string, slack: string, typed: string][] = [
    ["entities", "a &amp;&amp; b &lt; in &gt; out 2&gt;&amp;1", "a && b < in > out 2>&1"],
    ["an entity that was typed", "echo &amp;lt;p&amp;gt; &amp;amp;", "echo &lt;p&gt; &amp;"],
    [
      "an address",
      "curl <https://example.com/a?b=1&amp;c=2>",
      "curl https://example.com/a?b=1&c=2",
    ],
    ["a bare domain", "ping <http://example.com|example.com>", "ping example.com"],
    ["a file name that looks like a domain", "python3 <http://foo.py|foo.py>", "python3 foo.py"],
    [
      "a link pasted from a page",
      "pip install <https://pypi.org/project/requests|requests>",
      "pip install requests",
    ],
    [
      "a mail address",
      "git config user.email <mailto:a@b.com|a@b.com>",
      "git config user.email a@b.com",
    ],
    ["a mail address without a label", "mail <mailto:a@b.com>", "mail a@b.com"],
    ["a phone number", "echo <tel:+15551234567|+1 555 123 4567>", "echo +1 555 123 4567"],
    ["a person", "echo <@U012AB3CD>", "echo {@U012AB3CD}"],
    ["a person with a name", "echo <@W012AB3CD|ada>", "echo {@W012AB3CD}"],
    ["a channel", "echo <#C012|general>", "echo #general"],
    ["a channel without a name", "echo <#C012>", "echo #C012"],
    ["a channel with an empty name", "echo <#C012|>", "echo #C012"],
    ["everybody", "echo <!here> <!channel> <!everyone>", "echo @here @channel @everyone"],
    ["a group", "echo <!subteam^S1|@devs>", "echo @devs"],
    ["a date", "echo <!date^1392734382^{date}|today>", "echo today"],
    ["curly double quotes", "echo “a b” „c”", 'echo "a b" "c"'],
    ["curly single quotes", "python3 -c ‘print(2)’ it’s", "python3 -c 'print(2)' it's"],
    ["an em dash", "ls —all", "ls --all"],
    ["an en dash", "ls –la", "ls -la"],
    ["spaces that do not break", "ls\u00a0-l\u202f/tmp", "ls -l /tmp"],
    ["invisible characters", "l\u200bs\ufeff", "ls"],
    ["line ends", "cd /tmp\r\nls\npwd", "cd /tmp\nls\npwd"],
    ["angle brackets that are not Slack's", "sort <in.txt >out.txt", "sort <in.txt >out.txt"],
    ["a lone bracket", "a <", "a <"],
    ["an emoji's name", "echo a[1:100:2]", "echo a[1:100:2]"],
    ["marks of formatting", "rm *.log *.tmp _x_ ~y~", "rm *.log *.tmp _x_ ~y~"],
    ["nothing", "", ""],
  ];
  test.each(cases)("%s: %s", (_what, slack, typed) => {
    expect(shown(parseText(slack))).toBe(typed);
  });
});

describe("code is taken as it is", () => {
  const cases: [what: string, slack: string, typed: string][] = [
    ["inline, quotes and dashes", "`echo “a” —x`", "{code:echo “a” —x}"],
    ["inline, entities", "`a &amp;&amp; b &gt; c`", "{code:a && b > c}"],
    ["inline, an address", "`curl <https://example.com>`", "{code:curl https://example.com}"],
    ["inline in the middle", "echo `date` “x”", 'echo {code:date} "x"'],
    ["a block", "```\nprint(“a”)\n```", "{fence:print(“a”)}"],
    ["a block on one line", "```ls -la```", "{fence:ls -la}"],
    ["a block, entities", "```if a &lt; b &amp;&amp; c```", "{fence:if a < b && c}"],
    ["a block, an address", "```curl <https://x.org/a|x.org/a>```", "{fence:curl x.org/a}"],
    ["a block, its indentation and empty lines", "```\n\n  a\n\n  b\n```", "{fence:\n  a\n\n  b}"],
    ["a block with backticks in it", "```echo `date` a```", "{fence:echo `date` a}"],
    ["text around blocks", "see: ```a``` and ```b```", "see: {fence:a} and {fence:b}"],
    ["a block that is not closed", "```ls", "```ls"],
    ["a lone backtick", "echo ` “x”", 'echo ` "x"'],
  ];
  test.each(cases)("%s: %s", (_what, slack, typed) => {
    expect(shown(parseText(slack))).toBe(typed);
  });
});

test("no text, however odd, is too much or too slow", () => {
  for (const piece of ["<", "<@", "`", "```", "&", "<!a|", "<http://", "“", "<@U1|<"]) {
    expect(() => parseText(piece.repeat(5_000))).not.toThrow();
  }
});
