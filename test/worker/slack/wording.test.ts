import { expect, test } from "vitest";
import {
  codeBlock,
  escapedLength,
  escapeMrkdwn,
  inlineCode,
} from "../../../workers/slack/mrkdwn.ts";
import { formatBytes, formatDuration } from "../../../workers/slack/quantities.ts";
import { type Outcome, statusLine } from "../../../workers/slack/status-line.ts";

const limits = { timeoutMs: 300_000, maxOutputBytes: 32 * 1024 * 1024 };
const success: Outcome = {
  exitCode: 0,
  signal: null,
  durationMs: 1_234,
  timedOut: false,
  isCanceled: false,
  isMaxBuffer: false,
};

test.each<[outcome: Partial<Outcome>, line: string, stoppedBy?: string]>([
  [{}, "✓ exit 0 · 1.2 s"],
  [{ exitCode: 3, durationMs: 400 }, "✗ exit 3 · 0.4 s"],
  [{ exitCode: 127 }, "✗ exit 127 · 1.2 s"],
  [{ exitCode: 137 }, "✗ exit 137 (killed by SIGKILL, out of memory?) · 1.2 s"],
  [{ exitCode: 139 }, "✗ exit 139 (killed by SIGSEGV) · 1.2 s"],
  [{ exitCode: null, signal: "SIGKILL" }, "✗ killed by SIGKILL, out of memory? · 1.2 s"],
  [{ exitCode: null, signal: "SIGTERM" }, "✗ killed by SIGTERM · 1.2 s"],
  [{ exitCode: null, signal: "SIGINT", timedOut: true }, "⏱ stopped after 300 s (time limit)"],
  [{ exitCode: null, signal: "SIGINT", isCanceled: true }, "■ stopped by <@U1> · 1.2 s", "U1"],
  [{ exitCode: null, signal: "SIGINT", isCanceled: true }, "■ stopped · 1.2 s"],
  [{ exitCode: null, isMaxBuffer: true }, "✂ stopped at 32 MB of output (limit) · 1.2 s"],
])("%o is told as %s", (outcome, line, stoppedBy) => {
  const context = { ...limits, ...(stoppedBy ? { stoppedBy } : {}) };
  expect(statusLine({ ...success, ...outcome }, context)).toBe(line);
});

test.each([
  [0, "0.0 s"],
  [49, "0.0 s"],
  [999, "1.0 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
  [3_725_000, "1 h 2 min"],
  [-5, "0.0 s"],
])("%d ms are %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [1_023, "1023 bytes"],
  [1_536, "1.5 KB"],
  [10 * 1024, "10 KB"],
  [20 * 1024 * 1024, "20 MB"],
  [1024 * 1024 - 1, "1 MB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("the three special characters of mrkdwn are escaped, and counted as Slack gets them", () => {
  const text = "<@U1> && <!channel>";
  expect(escapeMrkdwn(text)).toBe("&lt;@U1&gt; &amp;&amp; &lt;!channel&gt;");
  expect(escapedLength(text)).toBe(escapeMrkdwn(text).length);
});

test("a code block has one beginning and one end", () => {
  expect(codeBlock("```\n````\n`x`").match(/```/g)).toHaveLength(2);
});

test("a name in a sentence stays on its line and is no markup", () => {
  expect(inlineCode("a`b\n<!here>.csv")).toBe("`aˋb &lt;!here&gt;.csv`");
  expect(inlineCode(" ")).toBe("(no name)");
});
