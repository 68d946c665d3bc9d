import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createWorkspaceConfig, startSlack } from "../../demo/index.ts";
import type { AppConfig } from "../../src/config/index.ts";
import { TurnQueue } from "../../src/queue/index.ts";
import { createApp } from "../../src/slack/index.ts";
import { prefix, quiet, until } from "../queue/support.ts";
import { QueueWorld } from "../queue/world.ts";
import { freePort } from "../support/redis.ts";
import { openWorld } from "./support/world.ts";

let queues: QueueWorld;
beforeAll(async () => {
  queues = await QueueWorld.start();
});
afterAll(() => queues.stop());

describe("the connection", () => {
  test("comes back at once when Slack recycles it, and after it was cut", async () => {
    const { you, slack, turn } = await openWorld(queues);
    slack.faults.refreshSockets();
    await you.say("general", "@mom one");
    await turn("one");
    slack.faults.dropSockets();
    await sleep(50);
    await you.say("general", "@mom two");
    await turn("two");
  });

  test("comes back after refused handshakes and refused calls", async () => {
    const retryDelaysMs = [1_000, 4_000, 8_000];
    const { you, slack, turn, fatal } = await openWorld(queues, { retryDelaysMs });
    slack.faults.add({ kind: "http-status", method: "apps.connections.open", times: 3 });
    slack.faults.add({ kind: "refuse-socket", times: 1 });
    slack.faults.dropSockets();
    await until(() => slack.faults.pending().length === 0);
    await you.say("general", "@mom date");
    await turn("date");
    expect(fatal).toEqual([]);
  });

  test("survives a frame that is not JSON", async () => {
    const { you, slack, turn } = await openWorld(queues);
    slack.faults.garbleSockets();
    await you.say("general", "@mom date");
    await turn("date");
  });

  test("ends with one sentence when the token is revoked", async () => {
    const { slack, fatal } = await openWorld(queues);
    slack.faults.add({
      kind: "api-error",
      method: "apps.connections.open",
      error: "invalid_auth",
    });
    slack.faults.dropSockets();
    await until(() => fatal.length === 1);
    expect(fatal[0]?.message).toContain("Slack refuses SLACK_APP_TOKEN (invalid_auth)");
  });
});

describe("what is wrong at the start is told in one sentence", () => {
  interface Settings {
    slack: AppConfig["slack"];
    redisUrl: string;
  }

  async function startWith(change: (settings: Settings) => void | Promise<void>) {
    const slack = await startSlack({ workspace: createWorkspaceConfig({ rateLimits: false }) });
    onTestFinished(() => slack.close());
    const { botToken, appToken } = slack.workspace.config.app;
    const settings: Settings = {
      slack: { botToken, apiUrl: slack.apiUrl, transport: { kind: "socket", appToken } },
      redisUrl: queues.redis.url,
    };
    await change(settings);
    const queue = new TurnQueue({ redisUrl: settings.redisUrl, prefix: prefix(), log: quiet });
    onTestFinished(() => queue.close());
    const app = createApp({
      config: { slack: settings.slack, access: {} },
      queue,
      log: quiet,
      onFatal: () => {},
    });
    onTestFinished(() => app.stop());
    return app.start().then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  test("a wrong bot token", async () => {
    const error = await startWith(({ slack }) => {
      slack.botToken = "xoxb-wrong";
    });
    expect(error).toMatchObject({ code: "SLACK_REFUSED" });
    expect(String(error)).toContain("SLACK_BOT_TOKEN (invalid_auth)");
  });

  test("a wrong app token", async () => {
    const error = await startWith(({ slack }) => {
      slack.transport = { kind: "socket", appToken: "xapp-wrong" };
    });
    expect(error).toMatchObject({ code: "SLACK_REFUSED" });
    expect(String(error)).toContain("SLACK_APP_TOKEN (invalid_auth)");
  });

  test("no Slack at the address", async () => {
    const error = await startWith(async ({ slack }) => {
      slack.apiUrl = `http://127.0.0.1:${await freePort()}/api/`;
    });
    expect(error).toMatchObject({ code: "SLACK_UNREACHABLE" });
    expect(String(error)).toMatch(/127\.0\.0\.1.*ECONNREFUSED.*SLACK_API_URL/);
  });

  test("no Redis at the address", async () => {
    const error = await startWith(async (settings) => {
      settings.redisUrl = `redis://127.0.0.1:${await freePort()}`;
    });
    expect(error).toMatchObject({ code: "REDIS_UNREACHABLE" });
  });

  test("a port that is taken", async () => {
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen(port, resolve));
    onTestFinished(() => void taken.close());
    const error = await startWith(({ slack }) => {
      slack.transport = { kind: "http", signingSecret: "0123456789abcdef", port };
    });
    expect(error).toMatchObject({ code: "PORT_UNAVAILABLE" });
    expect(String(error)).toContain("EADDRINUSE");
  });
});

test("a request over HTTP without Slack's signature is refused, and nothing runs", async () => {
  const { turns, slack } = await openWorld(queues, { transport: "http" });
  const url = slack.workspace.config.app.requestUrl;
  if (!url) throw new Error("no request URL");
  const event = { type: "app_mention", user: "U1", channel: "C1", ts: "1.0", text: "<@U0> date" };
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Slack-Signature": "v0=00",
      "X-Slack-Request-Timestamp": String(Math.floor(Date.now() / 1_000)),
    },
    body: JSON.stringify({ type: "event_callback", team_id: "T1", event }),
  });
  expect(response.status).toBe(401);
  await sleep(100);
  expect(turns).toEqual([]);
});
