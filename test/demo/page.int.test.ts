import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { App, LogLevel } from "@slack/bolt";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";

const ARTIFACTS = new URL("../../artifacts/", import.meta.url).pathname;

let browser: Browser;
let context: BrowserContext;
let page: Page;
let slack: LocalSlack;
let app: App;

beforeAll(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
});

afterAll(async () => {
  await browser.close();
});

beforeEach(async () => {
  slack = await startSlack({
    workspace: createWorkspaceConfig({
      rateLimits: false,
      app: {
        name: "Parrot",
        botName: "parrot",
        commands: [
          { command: "/parrot", description: "Say something again", usageHint: "[what to say]" },
        ],
      },
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
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
});

afterEach(async () => {
  await context.close();
  await app.stop();
  await slack.close();
});

async function open(): Promise<void> {
  await app.start();
  await page.goto(slack.pageUrl);
  await page.getByRole("heading", { name: "# general", level: 1 }).waitFor();
}

test("a mention typed in the page is answered in its thread, which opens beside", async () => {
  app.event("app_mention", async ({ event, say }) => {
    await say({ text: "*Hello* `you` <there>&amp;", thread_ts: event.thread_ts ?? event.ts });
  });
  await open();
  const composer = page.getByRole("textbox", { name: "Message #general" });
  await composer.fill("@parrot hello");
  await composer.press("Enter");
  await page.getByRole("button", { name: "1 reply" }).click();
  const thread = page.getByRole("complementary", { name: "Thread" });
  await thread.getByText("Hello", { exact: true }).waitFor();
  expect(await thread.locator("article strong:not(.sender)").textContent()).toBe("Hello");
  const reply = thread.getByRole("textbox", { name: "Reply…" });
  await reply.fill("@parrot again");
  await reply.press("Enter");
  await thread.getByText("3 replies").waitFor();
  await page.screenshot({ path: `${ARTIFACTS}local-slack-thread.png` });
  await page.keyboard.press("Escape");
  await expect.poll(() => thread.isVisible()).toBe(false);
});

test("a live edit changes the one message and leaves the others' elements alone", async () => {
  app.event("app_mention", async ({ event, client, say }) => {
    await say({ text: "a neighbour", thread_ts: event.ts });
    const sent = await say({ text: "```\n0\n```", thread_ts: event.ts });
    for (let step = 1; step <= 5; step++) {
      const lines = Array.from({ length: step }, (_, index) => `line ${index + 1}`).join("\n");
      await client.chat.update({
        channel: event.channel,
        ts: sent.ts ?? "",
        text: `\`\`\`\n${lines}\n\`\`\``,
      });
    }
    await say({ text: "the end", thread_ts: event.ts });
  });
  await open();
  await page.getByRole("textbox", { name: "Message #general" }).fill("@parrot count");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /repl/ }).click();
  const thread = page.getByRole("complementary", { name: "Thread" });
  await thread.getByText("the end").waitFor();
  const neighbour = thread.getByRole("listitem").filter({ hasText: "a neighbour" });
  await neighbour.evaluate((element) => element.setAttribute("data-mark", "kept"));
  const channelId = slack.workspace.findChannel("general")?.id ?? "";
  const edited = slack.workspace.messages(channelId).find((message) => message.edited);
  if (!edited) throw new Error("nothing was edited");
  slack.workspace.change(channelId, edited, { text: "```\nall new\n```" });
  await thread.locator("pre", { hasText: "all new" }).waitFor();
  await thread.getByText("(edited)").waitFor();
  expect(await neighbour.getAttribute("data-mark")).toBe("kept");
});

test("a file dropped on a thread is shared there, and one from the app downloads byte for byte", async () => {
  const bytes = randomBytes(100_000);
  const { botToken } = slack.workspace.config.app;
  app.message(async ({ event, client }) => {
    if (event.subtype !== "file_share" || !event.files?.[0]?.url_private_download) return;
    const response = await fetch(event.files[0].url_private_download, {
      headers: { Authorization: `Bearer ${botToken}` },
    });
    await client.filesUploadV2({
      channel_id: event.channel,
      thread_ts: event.thread_ts ?? event.ts,
      file_uploads: [
        { file: Buffer.from(await response.arrayBuffer()), filename: "copy.bin" },
        { file: Buffer.from("name,born\nada,1815\ngrace,1906\n"), filename: "people.csv" },
      ],
    });
  });
  await open();
  const composer = page.getByRole("textbox", { name: "Message #general" });
  await composer.fill("a place for files");
  await composer.press("Enter");
  await page.getByText("a place for files").hover();
  await page.getByRole("button", { name: "Reply in thread" }).click();
  const thread = page.getByRole("complementary", { name: "Thread" });
  // As text: this runs in the browser, whose types the tests do not have.
  const dropped = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    const letters = atob(${JSON.stringify(bytes.toString("base64"))});
    const data = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([data], "dropped.bin"));
    return transfer;
  })()`);
  await thread.dispatchEvent("dragover", { dataTransfer: dropped });
  await thread.dispatchEvent("drop", { dataTransfer: dropped });
  await thread.getByText("dropped.bin").waitFor();
  await thread.getByRole("button", { name: "Send" }).click();
  await thread.getByRole("figure", { name: "File dropped.bin" }).waitFor();
  await thread.getByText("grace,1906").waitFor();
  const download = page.waitForEvent("download");
  await thread.getByRole("link", { name: "Download copy.bin" }).click();
  const path = await (await download).path();
  const hash = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
  expect(hash(await readFile(path))).toBe(hash(bytes));
  await page.screenshot({ path: `${ARTIFACTS}local-slack-files.png` });
});

test("typing a slash shows the app's commands with their hints, and the answer is for one's eyes only", async () => {
  app.command("/parrot", async ({ ack, command }) => {
    await ack(`You said ${command.text}`);
  });
  await open();
  const composer = page.getByRole("textbox", { name: "Message #general" });
  await composer.pressSequentially("/p");
  const option = page.getByRole("option", { name: /\/parrot/ });
  await option.waitFor();
  expect(await option.textContent()).toContain("[what to say]");
  await page.screenshot({ path: `${ARTIFACTS}local-slack-slash.png` });
  await composer.press("Tab");
  await composer.pressSequentially("it");
  await composer.press("Enter");
  await page.getByText("Only visible to you").waitFor();
  await page.getByText("You said it").waitFor();
});

test("a button sends its click, and the message changes under it", async () => {
  app.command("/parrot", async ({ ack, say }) => {
    await ack();
    await say({
      text: "Shall I go on?",
      blocks: [
        { type: "header", text: { type: "plain_text", text: "Shall I go on?" } },
        { type: "section", text: { type: "mrkdwn", text: "It *may* take ~long~ a while." } },
        {
          type: "rich_text",
          elements: [
            {
              type: "rich_text_preformatted",
              elements: [{ type: "text", text: "$ sleep 3600 && echo '<done>'" }],
            },
          ],
        },
        { type: "divider" },
        { type: "context", elements: [{ type: "mrkdwn", text: ":hourglass: 3 s" }] },
        {
          type: "actions",
          elements: [
            {
              type: "button",
              action_id: "go",
              style: "primary",
              text: { type: "plain_text", text: "Go on" },
            },
            {
              type: "button",
              action_id: "stop",
              style: "danger",
              text: { type: "plain_text", text: "Stop" },
            },
          ],
        },
      ],
    });
  });
  app.action("stop", async ({ ack, respond, body }) => {
    await ack();
    await respond({ replace_original: true, text: `Stopped by <@${body.user.id}>` });
  });
  await open();
  await page.getByRole("textbox", { name: "Message #general" }).fill("/parrot");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.screenshot({ path: `${ARTIFACTS}local-slack-blocks.png` });
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped by").waitFor();
  expect(await page.getByRole("button", { name: "Stop" }).count()).toBe(0);
});

test("what a message says never becomes markup", async () => {
  await open();
  const evil = "<img src=x onerror=alert(1)> <javascript:alert(1)|click> [x](javascript:alert(1))";
  await page.getByRole("textbox", { name: "Message #general" }).fill(evil);
  await page.keyboard.press("Enter");
  const message = page.getByRole("listitem").filter({ hasText: "onerror" });
  await message.waitFor();
  const channel = slack.workspace.findChannel("general");
  if (!channel) throw new Error("no channel");
  slack.workspace.post(channel, {
    user: slack.workspace.config.app.botUserId,
    bot_id: "B1",
    text: "<javascript:alert(1)|click me>",
    blocks: [{ type: "markdown", text: "[tap](javascript:alert(1)) <b>raw</b>" }],
  });
  await page.getByText("<b>raw</b>").waitFor();
  expect(await page.locator('a[href^="javascript"], article img, article b').count()).toBe(0);
});

test("unread channels are marked, and the direct message is a conversation of its own", async () => {
  app.message(async ({ event, say }) => {
    if (event.channel_type === "im") await say("only you and I");
  });
  await open();
  const channel = slack.workspace.findChannel("random");
  const ada = slack.workspace.findUser("ada");
  if (!channel || !ada) throw new Error("the workspace lacks people");
  slack.people.say(ada.id, channel.id, "anyone here?");
  await page.getByRole("link", { name: "random" }).getByLabel("1 unread").waitFor();
  await page.getByRole("link", { name: "Parrot" }).click();
  await page.getByRole("textbox", { name: "Message Parrot" }).fill("psst");
  await page.keyboard.press("Enter");
  await page.getByText("only you and I").waitFor();
});

test("a working agent session has a status line with a stop button, which reaches the app", async () => {
  let stopped = "";
  app.event("app_mention", async ({ event, client }) => {
    await client.apiCall("agents.sessions.setStatus", {
      channel: event.channel,
      thread_ts: event.ts,
      status: "processing",
    });
  });
  app.event("agent_session_stopped", async ({ event, client }) => {
    const { channel, thread_ts } = event;
    stopped = thread_ts;
    const status = "active";
    await client.apiCall("agents.sessions.setStatus", { channel, thread_ts, status });
  });
  await open();
  await page.getByRole("textbox", { name: "Message #general" }).fill("@parrot work");
  await page.keyboard.press("Enter");
  await page.getByText("work", { exact: false }).last().hover();
  await page.getByRole("button", { name: "Reply in thread" }).click();
  const thread = page.getByRole("complementary", { name: "Thread" });
  await thread.getByText("Parrot is working…").waitFor();
  await thread.getByRole("button", { name: "Stop" }).click();
  await expect.poll(() => thread.getByText("is working…").count()).toBe(0);
  expect(stopped).toBe(
    slack.workspace.messages(slack.workspace.findChannel("general")?.id ?? "")[0]?.ts,
  );
});

test.each([
  ["wide", 1440, 900, "light"],
  ["dark", 1440, 900, "dark"],
  ["narrow", 400, 800, "light"],
] as const)(
  "a full thread shows its end and fits the window (%s)",
  async (name, width, height, colorScheme) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    const { workspace, people } = slack;
    const channel = workspace.findChannel("general");
    const you = workspace.config.users[0]?.id ?? "";
    const ada = workspace.config.users[1]?.id ?? "";
    if (!channel) throw new Error("no channel");
    people.say(
      ada,
      channel.id,
      "Has anyone the *numbers* of last week? See https://example.com/report",
    );
    const csv = new TextEncoder().encode("day,visits\nmon,1204\ntue,981\nwed,1377\n");
    const root = people.say(you, channel.id, "@parrot `sort -t, -k2 -n numbers.csv | tail -1`", {
      files: [{ name: "numbers.csv", bytes: csv }],
    });
    const parrot = { user: workspace.config.app.botUserId, bot_id: workspace.config.app.botId };
    for (let index = 0; index < 12; index++) {
      const text = `Part ${index + 1}\n\`\`\`\n${"wed,1377 ".repeat(index * 3)}\n\`\`\``;
      workspace.post(channel, { ...parrot, text, thread_ts: root.ts });
    }
    workspace.react(channel.id, root, ada, "eyes");
    await app.start();
    await page.goto(`${slack.pageUrl}#${channel.id}/${root.ts}`);
    const thread = page.getByRole("complementary", { name: "Thread" });
    await expect.poll(() => thread.getByText("Part 12").boundingBox()).not.toBeNull();
    const box = await thread.getByText("Part 12").boundingBox();
    expect(box && box.y > 0 && box.y < height).toBe(true);
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await page.evaluate(overflow)).toBe(0);
    await page.screenshot({ path: `${ARTIFACTS}local-slack-${name}.png` });
  },
);
