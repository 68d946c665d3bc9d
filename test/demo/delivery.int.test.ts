import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { App, LogLevel } from "@slack/bolt";
import { afterEach, beforeEach, expect, test } from "vitest";
import WebSocket from "ws";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";
import { quietLogger } from "../support/quiet-logger.ts";
import { SlackUser } from "../support/slack-user.ts";

let slack: LocalSlack;
let you: SlackUser;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  slack = await startSlack({
    workspace: createWorkspaceConfig({
      rateLimits: false,
      app: {
        botName: "parrot",
        events: ["app_mention"],
        commands: [{ command: "/say", description: "Say it", usageHint: "[words]" }],
      },
      delivery: { ackTimeoutMs: 150, retryDelaysMs: [0, 150, 300], pingIntervalMs: 1_000 },
    }),
  });
  you = await SlackUser.open(slack);
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await you.close();
  await slack.close();
});

interface Envelope {
  envelope_id: string;
  type: string;
  retry_attempt: number;
  retry_reason: string;
  payload: { event_id: string; event: { text: string } };
}

/** A Socket Mode client that acknowledges when told to. */
async function connect(shouldAck: (envelope: Envelope, nth: number) => boolean) {
  const { appToken } = slack.workspace.config.app;
  const opened = await fetch(`${slack.apiUrl}apps.connections.open`, {
    method: "POST",
    headers: { Authorization: `Bearer ${appToken}` },
  });
  const { url } = (await opened.json()) as { url: string };
  const socket = new WebSocket(url);
  const envelopes: Envelope[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "hello") return resolve();
      if (message.type === "disconnect") return;
      envelopes.push(message);
      if (shouldAck(message, envelopes.length)) {
        socket.send(JSON.stringify({ envelope_id: message.envelope_id }));
      }
    });
  });
  closing.push(() => socket.terminate());
  return { socket, envelopes, url };
}

test("an event that nobody acknowledges comes again three times, under the same event id", async () => {
  const { envelopes } = await connect(() => false);
  await you.say("general", "@parrot hello");
  await expect.poll(() => envelopes.length, { timeout: 5_000 }).toBe(4);
  expect(new Set(envelopes.map((envelope) => envelope.payload.event_id)).size).toBe(1);
  expect(new Set(envelopes.map((envelope) => envelope.envelope_id)).size).toBe(4);
  expect(envelopes.map((envelope) => [envelope.retry_attempt, envelope.retry_reason])).toEqual([
    [0, ""],
    [1, "timeout"],
    [2, "timeout"],
    [3, "timeout"],
  ]);
});

test("an acknowledged event does not come again", async () => {
  const { envelopes } = await connect((_, nth) => nth >= 2);
  await you.say("general", "@parrot hello");
  await expect.poll(() => slack.delivery.records.at(-1)?.outcome).toBe("acked");
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(envelopes.length).toBe(2);
});

test("events go to one connection each, in turn", async () => {
  const one = await connect(() => true);
  const other = await connect(() => true);
  for (let index = 0; index < 4; index++) await you.say("general", `@parrot ${index}`);
  await expect.poll(() => one.envelopes.length + other.envelopes.length).toBe(4);
  expect([one.envelopes.length, other.envelopes.length]).toEqual([2, 2]);
});

test("a ticket opens one connection", async () => {
  const { url } = await connect(() => true);
  const status = await new Promise((resolve) => {
    const again = new WebSocket(url);
    again.on("unexpected-response", (_request, response) => resolve(response.statusCode));
    again.on("error", () => {});
  });
  expect(status).toBe(409);
});

test.each([
  [false, 1],
  [true, 2],
])("an event is delivered twice on demand (new event id: %s)", async (newEventId, ids) => {
  const { envelopes } = await connect(() => true);
  slack.faults.add({ kind: "duplicate-event", newEventId });
  await you.say("general", "@parrot hello");
  await expect.poll(() => envelopes.length).toBe(2);
  expect(new Set(envelopes.map((envelope) => envelope.payload.event_id)).size).toBe(ids);
});

test("a Bolt app whose socket is dropped connects again and gets what it missed", async () => {
  const over = await startSlack({
    workspace: createWorkspaceConfig({
      app: { botName: "parrot" },
      delivery: { retryDelaysMs: [0, 30_000] },
    }),
  });
  closing.push(() => over.close());
  const { users, app: installed } = over.workspace.config;
  const heard: string[] = [];
  const app = new App({
    token: installed.botToken,
    appToken: installed.appToken,
    socketMode: true,
    logger: quietLogger,
    clientOptions: { slackApiUrl: over.apiUrl },
  });
  app.event("app_mention", async ({ event }) => void heard.push(event.text));
  await app.start();
  closing.push(() => app.stop());
  const say = (text: string) => over.people.say(users[0]?.id ?? "", "general", `@parrot ${text}`);
  for (const lose of ["drop", "refresh"] as const) {
    over.socket[lose]();
    await expect.poll(() => over.socket.connectionCount, { timeout: 5_000 }).toBe(0);
    say(`are you there after a ${lose}?`);
    // Bolt waits 5 s before it connects again.
    await expect.poll(() => heard.at(-1), { timeout: 15_000 }).toContain(lose);
  }
  expect(heard.length).toBe(2);
});

test("signed HTTP reaches a Bolt app once its address has answered the challenge", async () => {
  const { botToken, signingSecret } = slack.workspace.config.app;
  const app = new App({
    token: botToken,
    signingSecret,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.apiUrl },
  });
  app.event("app_mention", async ({ event, say }) => {
    await say({ text: `heard ${event.ts}`, thread_ts: event.ts });
  });
  app.command("/say", async ({ ack, command }) => ack(`you said ${command.text}`));
  const server = await app.start(0);
  closing.push(() => app.stop());
  const { port } = server.address() as AddressInfo;
  await expect(slack.delivery.setRequestUrl(`http://127.0.0.1:${port}/nowhere`)).rejects.toThrow(
    "challenge",
  );
  await slack.delivery.setRequestUrl(`http://127.0.0.1:${port}/slack/events`);
  const root = await you.say("general", "@parrot hello");
  expect((await you.waitForReply(root)).text).toBe(`heard ${root.ts}`);
  await you.slash("/say a & b");
  const answer = await you.waitFor((message) => message.is_ephemeral === true);
  expect(answer.text).toBe("you said a &amp; b");
});

test("HTTP deliveries carry Slack's retry headers, and X-Slack-No-Retry ends them", async () => {
  const seen: (string | undefined)[][] = [];
  const server = createServer((request, response) => {
    request.resume();
    const { headers } = request;
    seen.push([
      headers["x-slack-retry-num"] as string | undefined,
      headers["x-slack-retry-reason"] as string | undefined,
    ]);
    if (seen.length === 1) return;
    if (seen.length === 3) response.setHeader("X-Slack-No-Retry", "1");
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const config = createWorkspaceConfig({
    app: { ...slack.workspace.config.app, requestUrl: `http://127.0.0.1:${port}/` },
    delivery: { ackTimeoutMs: 150, retryDelaysMs: [0, 50, 50] },
  });
  const over = await startSlack({ workspace: config });
  closing.push(() => over.close());
  over.people.say(config.users[0]?.id ?? "", "general", "@parrot hello");
  await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seen).toEqual([
    [undefined, undefined],
    ["1", "http_timeout"],
    ["2", "http_error"],
  ]);
});

test("a response URL holds for five answers", async () => {
  let url = "";
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      url = new URLSearchParams(body).get("response_url") ?? "";
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const config = createWorkspaceConfig({
    app: { ...slack.workspace.config.app, requestUrl: `http://127.0.0.1:${port}/` },
  });
  const over = await startSlack({ workspace: config });
  closing.push(() => over.close());
  await over.people.slash(config.users[0]?.id ?? "", "general", "/say x");
  const answers: number[] = [];
  for (let use = 0; use < 6; use++) {
    const body = JSON.stringify({ text: `answer ${use}`, response_type: "in_channel" });
    const headers = { "Content-Type": "application/json" };
    answers.push((await fetch(url, { method: "POST", headers, body })).status);
  }
  expect(answers).toEqual([200, 200, 200, 200, 200, 404]);
});
