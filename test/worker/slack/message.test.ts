import { expect, test } from "vitest";
import {
  failedMessage,
  finishedMessage,
  LIVE_LIMITS,
  type MessageContent,
  OUTPUT_LIMITS,
  runningMessage,
} from "../../../workers/slack/message.ts";
import { viewGrowing, viewOutput } from "../../../workers/slack/output-view.ts";

/** https://docs.slack.dev/reference/block-kit/blocks/section-block and the sum that has been refused. */
const MAX_SECTION = 3_000;
const MAX_ALL_BLOCKS = 13_000;
/** `chat.update` refuses more. */
const MAX_TEXT = 4_000;

const outputs = {
  ampersands: "&".repeat(100_000),
  "lines of tags": "<b>&</b>\n".repeat(10_000),
  backticks: "```\n".repeat(10_000),
  emoji: "👍".repeat(50_000),
  "empty lines": `${"\n".repeat(50_000)}x`,
  "wide text": "日本語のテキスト\n".repeat(5_000),
  "short lines": Array.from({ length: 59 }, () => "&".repeat(9)).join("\n"),
};

function expectSendable(message: MessageContent): void {
  expect(message.text.length).toBeLessThanOrEqual(MAX_TEXT);
  expect(JSON.stringify(message.blocks).length).toBeLessThanOrEqual(MAX_ALL_BLOCKS);
  for (const block of message.blocks) {
    if (block.type === "section") expect(block.text?.text.length).toBeLessThanOrEqual(MAX_SECTION);
  }
}

test.each(Object.entries(outputs))(
  "a result of %s on both streams fits into a message",
  (_what, output) => {
    const view = viewOutput(Buffer.from(output), OUTPUT_LIMITS);
    expectSendable(
      finishedMessage({ status: "✓", stdout: view, stderr: view, notes: ["n".repeat(5_000)] }),
    );
  },
);

test.each(Object.entries(outputs))("live output of %s fits into a message", (_what, output) => {
  const bytes = Buffer.from(output);
  const shown = viewGrowing(bytes, bytes.length, LIVE_LIMITS);
  expectSendable(
    runningMessage({
      activity: "running",
      elapsedMs: 1,
      threadKey: "T-C-1.1",
      output: shown ?? "",
    }),
  );
  expectSendable(failedMessage("x".repeat(5_000), shown));
});
