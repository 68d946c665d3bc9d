import { type WebAPICallResult, WebClient } from "@slack/web-api";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";
import { quietLogger } from "../support/quiet-logger.ts";

let slack: LocalSlack;
let client: WebClient;
let general: string;
let clockMs = Date.UTC(2026, 0, 1);

beforeEach(async () => {
  clockMs = Date.UTC(2026, 0, 1);
  slack = await startSlack({ workspace: createWorkspaceConfig(), now: () => clockMs });
  client = clientWith(slack.workspace.config.app.botToken);
  general = slack.workspace.findChannel("general")?.id ?? "";
});

afterEach(() => slack.close());

function clientWith(token: string): WebClient {
  return new WebClient(token, {
    slackApiUrl: slack.apiUrl,
    logger: quietLogger,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
  });
}

/** What `apiCall` is known to answer here; its own type says nothing. */
type Posted = WebAPICallResult & { ts: string; message: { text: string } };

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: { data?: { error?: string } }) => error.data?.error ?? String(error),
  );

test("unknown methods and wrong tokens are refused as Slack refuses them", async () => {
  const { appToken } = slack.workspace.config.app;
  expect(await codeOf(client.apiCall("chat.shout"))).toBe("unknown_method");
  expect(await codeOf(client.apiCall("constructor"))).toBe("unknown_method");
  expect(await codeOf(clientWith("xoxb-1-2-wrong").auth.test())).toBe("invalid_auth");
  expect(await codeOf(clientWith("").auth.test())).toBe("not_authed");
  expect(await codeOf(clientWith(appToken).auth.test())).toBe("not_allowed_token_type");
  expect(await codeOf(client.apps.connections.open())).toBe("not_allowed_token_type");
});

test("a token without the scope is told which one it needs", async () => {
  const config = createWorkspaceConfig({ app: { scopes: ["chat:write"] } });
  const narrow = await startSlack({ workspace: config });
  try {
    const url = `${narrow.apiUrl}users.info?user=U1`;
    const headers = { Authorization: `Bearer ${config.app.botToken}` };
    expect(await (await fetch(url, { headers })).json()).toEqual({
      ok: false,
      error: "missing_scope",
      needed: "users:read",
      provided: "chat:write",
    });
  } finally {
    await narrow.close();
  }
});

test("messages keep their metadata and give it back only when asked", async () => {
  const metadata = { event_type: "turn", event_payload: { id: "1" } };
  const root = await client.chat.postMessage({ channel: general, text: "root", metadata });
  await client.chat.postMessage({ channel: general, text: "reply", thread_ts: root.ts });
  const ts = root.ts ?? "";
  const plain = await client.conversations.replies({ channel: general, ts });
  expect(plain.messages?.map((message) => message.text)).toEqual(["root", "reply"]);
  expect(plain.messages?.[0]).not.toHaveProperty("metadata");
  const full = await client.conversations.replies({
    channel: general,
    ts,
    include_all_metadata: true,
  });
  expect(full.messages?.[0]?.metadata).toEqual(metadata);
  const history = await client.conversations.history({ channel: general });
  expect(history.messages?.map((message) => message.text)).toEqual(["root"]);
  expect(history.messages?.[0]?.reply_count).toBe(1);
});

test("Slack's limits of text and blocks hold", async () => {
  const section = (text: string) => ({
    type: "section" as const,
    text: { type: "mrkdwn" as const, text },
  });
  const post = (args: Record<string, unknown>) => {
    clockMs += 60_000;
    return client.apiCall("chat.postMessage", { channel: general, ...args }) as Promise<Posted>;
  };
  expect(await codeOf(post({}))).toBe("no_text");
  expect(await codeOf(post({ text: "x", channel: "C404" }))).toBe("channel_not_found");
  expect(await codeOf(post({ text: "x", thread_ts: "1.000000" }))).toBe("thread_not_found");
  expect(await codeOf(post({ blocks: [section("x".repeat(3_001))] }))).toBe("invalid_blocks");
  expect(await codeOf(post({ blocks: [section("x".repeat(3_000))] }))).toBe("ok");
  expect(await codeOf(post({ blocks: Array(51).fill(section("x")) }))).toBe("invalid_blocks");
  expect(await codeOf(post({ blocks: Array(5).fill(section("x".repeat(3_000))) }))).toBe(
    "invalid_blocks",
  );
  expect(await codeOf(post({ blocks: "{" }))).toBe("invalid_blocks");
  const long = await post({ text: "y".repeat(40_001) });
  expect(long.message.text.length).toBe(40_000);
  const update = (text: string) => client.chat.update({ channel: general, ts: long.ts, text });
  expect(await codeOf(update("z".repeat(4_001)))).toBe("msg_too_long");
  expect(await codeOf(update("z".repeat(4_000)))).toBe("ok");
  expect(await codeOf(client.chat.update({ channel: general, ts: "1.0", text: "x" }))).toBe(
    "message_not_found",
  );
});

test("an app changes only its own messages", async () => {
  const you = slack.workspace.config.users[0]?.id ?? "";
  const { ts } = slack.people.say(you, general, "mine");
  expect(await codeOf(client.chat.update({ channel: general, ts, text: "x" }))).toBe(
    "cant_update_message",
  );
  expect(await codeOf(client.chat.delete({ channel: general, ts }))).toBe("cant_delete_message");
});

test("chat.postMessage allows one a second and channel after a burst, and says how long to wait", async () => {
  const post = () =>
    fetch(`${slack.apiUrl}chat.postMessage`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${slack.workspace.config.app.botToken}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ channel: general, text: "hi" }),
    });
  for (let burst = 0; burst < 4; burst++) expect((await post()).status).toBe(200);
  const limited = await post();
  expect(limited.status).toBe(429);
  expect(limited.headers.get("retry-after")).toBe("1");
  expect(await limited.json()).toEqual({ ok: false, error: "ratelimited" });
  clockMs += 1_000;
  expect((await post()).status).toBe(200);
  expect((await post()).status).toBe(429);
});

test("WebClient waits out a 429 and succeeds", async () => {
  slack.faults.add({ kind: "rate-limit", method: "chat.postMessage", retryAfterSeconds: 1 });
  const patient = new WebClient(slack.workspace.config.app.botToken, {
    slackApiUrl: slack.apiUrl,
    logger: quietLogger,
    retryConfig: { retries: 2, minTimeout: 1 },
  });
  await patient.chat.postMessage({ channel: general, text: "at last" });
  expect(slack.api.calls.map((call) => call.error)).toEqual(["ratelimited", undefined]);
});

test("faults act on the calls they name and as often as they say", async () => {
  slack.faults.add({ kind: "http-status", method: "auth.test", times: 2, status: 503 });
  slack.faults.add({ kind: "api-error", error: "fatal_error", method: "team.info" });
  slack.faults.add({ kind: "reset", method: "chat.postMessage", after: true });
  expect(await codeOf(client.team.info())).toBe("fatal_error");
  expect(await codeOf(client.team.info())).toBe("ok");
  expect(await codeOf(client.auth.test())).toMatch(/503/);
  expect(await codeOf(client.auth.test())).toMatch(/503/);
  expect(await codeOf(client.auth.test())).toBe("ok");
  expect(await codeOf(client.chat.postMessage({ channel: general, text: "done" }))).not.toBe("ok");
  expect(slack.workspace.messages(general).map((message) => message.text)).toEqual(["done"]);
});

test("streamed text grows in one message and stops", async () => {
  const you = slack.workspace.config.users[0]?.id ?? "";
  const root = slack.people.say(you, general, "tell me");
  const start = { channel: general, thread_ts: root.ts };
  expect(await codeOf(client.apiCall("chat.startStream", start))).toBe("missing_recipient_team_id");
  const { ts } = (await client.apiCall("chat.startStream", {
    ...start,
    recipient_user_id: you,
    recipient_team_id: slack.workspace.config.team.id,
    markdown_text: "**one** ",
  })) as Posted;
  const stream = { channel: general, ts };
  await client.apiCall("chat.appendStream", { ...stream, markdown_text: "two" });
  await client.apiCall("chat.stopStream", { ...stream });
  expect(slack.workspace.message(general, ts)?.text).toBe("**one** two");
  expect(await codeOf(client.apiCall("chat.appendStream", { ...stream, markdown_text: "x" }))).toBe(
    "message_not_in_streaming_state",
  );
});

test("an empty file is refused, and a file is found by id alone whatever its name", async () => {
  const ask = { filename: "../../../etc/passwd", length: 0 };
  expect(await codeOf(client.files.getUploadURLExternal(ask))).toBe("invalid_arguments");
  const { upload_url, file_id } = await client.files.getUploadURLExternal({ ...ask, length: 3 });
  const uploaded = await fetch(String(upload_url), { method: "POST", body: "abc" });
  expect(await uploaded.text()).toBe("OK - 3");
  await client.files.completeUploadExternal({
    files: [{ id: String(file_id) }],
    channel_id: general,
  });
  const { file } = await client.files.info({ file: String(file_id) });
  const url = String(file?.url_private_download);
  const { botToken } = slack.workspace.config.app;
  const withToken = await fetch(url, { headers: { Authorization: `Bearer ${botToken}` } });
  expect(await withToken.text()).toBe("abc");
  const without = await fetch(url);
  expect(without.status).toBe(200);
  expect(without.headers.get("content-type")).toMatch(/^text\/html/);
  expect(await without.text()).toContain("Sign in");
});
