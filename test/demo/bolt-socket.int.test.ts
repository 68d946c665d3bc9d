import { createHash, randomBytes } from "node:crypto";
import { App, LogLevel } from "@slack/bolt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";
import { SlackUser } from "../support/slack-user.ts";

let slack: LocalSlack;
let app: App;
let you: SlackUser;

beforeEach(async () => {
  slack = await startSlack({
    workspace: createWorkspaceConfig({
      rateLimits: false,
      app: {
        name: "Parrot",
        botName: "parrot",
        commands: [{ command: "/say", description: "Say it", usageHint: "[words]" }],
      },
      delivery: { ackTimeoutMs: 500, retryDelaysMs: [0, 200, 400] },
    }),
  });
  const { botToken, appToken } = slack.workspace.config.app;
  app = new App({
    token: botToken,
    appToken,
    socketMode: true,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
  });
  you = await SlackUser.open(slack);
});

afterEach(async () => {
  await you.close();
  await app.stop();
  await slack.close();
});

test("a mention reaches a Bolt app as app_mention and as message, and the answer stands in the thread", async () => {
  const seen: string[] = [];
  app.event("app_mention", async ({ event, say }) => {
    seen.push("app_mention");
    await say({ text: `heard ${event.text}`, thread_ts: event.ts });
  });
  app.message(async ({ event }) => {
    seen.push(`message ${event.channel_type}`);
  });
  await app.start();
  const root = await you.say("general", "@parrot hello");
  expect(root.text).toBe(`<@${you.appUserId}> hello`);
  const reply = await you.waitForReply(root);
  expect(reply.text).toBe(`heard <@${you.appUserId}> hello`);
  expect(seen.sort()).toEqual(["app_mention", "message channel"]);
});

test("a direct message reaches the app as message alone", async () => {
  const types: string[] = [];
  app.event("app_mention", async () => void types.push("app_mention"));
  app.message(async ({ event, say }) => {
    types.push(event.channel_type);
    await say("you are alone with me");
  });
  await app.start();
  await you.dm("@parrot psst");
  await you.waitFor((message) => message.text === "you are alone with me");
  expect(types).toEqual(["im"]);
});

test("a slash command is answered to the person alone, and in the channel through the response URL", async () => {
  app.command("/say", async ({ ack, command, respond }) => {
    await ack({ text: `working on ${command.text}` });
    await respond({ response_type: "in_channel", text: command.text });
  });
  await app.start();
  await you.slash("/say a <b> & http://example.com 'c'");
  const whisper = await you.waitFor((message) => message.is_ephemeral === true);
  expect(whisper.text).toBe("working on a &lt;b&gt; &amp; http://example.com 'c'");
  const said = await you.waitFor((message) => message.text.startsWith("a &lt;b&gt;"));
  expect(said.is_ephemeral).toBeUndefined();
});

test("a command that nobody acknowledges ends in Slackbot's sentence", async () => {
  app.command("/say", async () => {});
  await app.start();
  await you.slash("/say hi");
  const sentence = await you.waitFor((message) => message.user === "USLACKBOT");
  expect(sentence.text).toBe('/say failed with the error "operation_timeout"');
});

test("a click on a button reaches the app with value and message, and the app edits its message", async () => {
  app.event("app_mention", async ({ say }) => {
    await say({
      text: "Stop?",
      blocks: [
        {
          type: "actions",
          elements: [
            {
              type: "button",
              action_id: "stop",
              value: "42",
              text: { type: "plain_text", text: "Stop" },
            },
          ],
        },
      ],
    });
  });
  app.action("stop", async ({ ack, action, body, client }) => {
    await ack();
    if (body.type !== "block_actions" || !body.channel || !body.message) throw new Error("shape");
    const value = "value" in action ? action.value : "";
    await client.chat.update({
      channel: body.channel.id,
      ts: body.message.ts,
      text: `Got ${value}`,
    });
  });
  await app.start();
  await you.say("general", "@parrot ask me");
  const question = await you.waitFor((message) => message.text === "Stop?");
  await you.click(question, "Stop");
  const edited = await you.waitFor((message) => message.text === "Got 42");
  expect(edited.ts).toBe(question.ts);
  expect(edited.edited?.user).toBe(you.appUserId);
  expect(edited.blocks).toBeUndefined();
});

test("files go to the app and come back byte for byte", async () => {
  const { botToken } = slack.workspace.config.app;
  const sent = randomBytes(300_000);
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  app.event("app_mention", async ({ event, client }) => {
    const file = event.files?.[0];
    if (!file?.url_private_download) throw new Error("no file");
    const response = await fetch(file.url_private_download, {
      headers: { Authorization: `Bearer ${botToken}` },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    await client.filesUploadV2({
      channel_id: event.channel,
      thread_ts: event.ts,
      initial_comment: `sha ${hash(bytes)}`,
      file_uploads: [{ file: bytes, filename: "back.bin" }],
    });
  });
  await app.start();
  const root = await you.say("general", "@parrot take this", {
    files: [{ name: "../../etc/passwd", bytes: sent }],
  });
  expect(root.subtype).toBe("file_share");
  const reply = await you.waitForReply(root);
  expect(reply.text).toBe(`sha ${hash(sent)}`);
  const back = reply.files?.[0];
  if (!back) throw new Error("nothing came back");
  expect(back.name).toBe("back.bin");
  expect(hash(await you.download(back))).toBe(hash(sent));
});
