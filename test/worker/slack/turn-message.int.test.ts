import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../../demo/index.ts";
import { systemClock } from "../../../workers/clock.ts";
import { createSlackClient } from "../../../workers/slack/call.ts";
import { statusMessage } from "../../../workers/slack/message.ts";
import { TurnMessage } from "../../../workers/slack/turn-message.ts";
import { type SeenMessage, SlackUser } from "../../support/slack-user.ts";

// A worker that has lost a turn to another, but does not know yet, and the one that has it now. In whatever order
// their calls come to Slack, the thread has one message in the end, with what the second one says.

let slack: LocalSlack;
let you: SlackUser;
beforeAll(async () => {
  slack = await startSlack({ workspace: createWorkspaceConfig({ rateLimits: false }) });
  you = await SlackUser.open(slack);
});
afterAll(async () => {
  await you?.close();
  await slack?.close();
});

const soon = () => Date.now() + 10_000;

function createClient() {
  return createSlackClient(slack.workspace.config.app.botToken, slack.apiUrl);
}

/** What a worker that has this turn says in the thread. */
function messageOf(root: SeenMessage, turnId: string): TurnMessage {
  return new TurnMessage({
    client: createClient(),
    clock: systemClock,
    log: pino({ level: "silent" }),
    place: { channelId: root.channel, threadTs: root.ts, messageTs: root.ts, turnId },
    giveUp: new AbortController().signal,
  });
}

async function turnOfTwo() {
  const root = await you.say("general", "a thread");
  return { root, first: messageOf(root, "turn"), second: messageOf(root, "turn") };
}

async function showRunning(message: TurnMessage): Promise<void> {
  message.showLive(0, () => statusMessage("running"));
  await expect.poll(() => message.ts).toBeDefined();
}

async function answers(root: SeenMessage): Promise<string[]> {
  await you.say("general", "(all before this has been seen)");
  const said = you.thread(root).filter(({ user }) => user === you.appUserId);
  return said.map(({ text }) => text);
}

test("the first's message, posted after the second has looked for it, is edited all the same", async () => {
  const { root, first, second } = await turnOfTwo();
  await second.findEarlier(soon());
  await first.finish(statusMessage("of the first"), soon());
  await second.finish(statusMessage("of the second"), soon());
  expect(await answers(root)).toEqual(["of the second"]);
  expect(second.ts).toBe(first.ts);
});

test("the first's message, posted after the second's own, is taken away", async () => {
  const { root, first, second } = await turnOfTwo();
  await second.findEarlier(soon());
  await showRunning(second);
  await first.finish(statusMessage("of the first"), soon());
  expect(await answers(root)).toEqual(["running", "of the first"]);
  await second.finish(statusMessage("of the second"), soon());
  expect(await answers(root)).toEqual(["of the second"]);
});

test("the second's own, taken away by another that had lost the turn, too, is posted again", async () => {
  const { root, second } = await turnOfTwo();
  await second.findEarlier(soon());
  await showRunning(second);
  const removed = second.ts;
  await createClient().chat.delete({ channel: root.channel, ts: removed ?? "" });
  await second.finish(statusMessage("of the second"), soon());
  expect(await answers(root)).toEqual(["of the second"]);
  expect(second.ts).not.toBe(removed);
});

test("a message that is gone is not posted again where nobody else had the turn", async () => {
  const { root, first } = await turnOfTwo();
  await showRunning(first);
  await createClient().chat.delete({ channel: root.channel, ts: first.ts ?? "" });
  await expect(first.finish(statusMessage("of the first"), soon())).rejects.toThrow(
    /message_not_found/,
  );
  expect(await answers(root)).toEqual([]);
});

test("other turns' messages in the thread stay", async () => {
  const { root, first } = await turnOfTwo();
  await first.finish(statusMessage("of a turn before"), soon());
  const other = messageOf(root, "another turn");
  await other.findEarlier(soon());
  await other.finish(statusMessage("of this turn"), soon());
  expect(await answers(root)).toEqual(["of a turn before", "of this turn"]);
});
