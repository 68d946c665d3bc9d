import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../demo/index.ts";
import type { AppConfig } from "../../src/config/index.ts";
import { type Turn, TurnQueue, TurnTaker, threadKey } from "../../src/queue/index.ts";
import {
  createApp,
  type SlackApp,
  type SlackAppError,
  STOP_ACTION,
} from "../../src/slack/index.ts";
import { done, prefix, quick, quiet, until } from "../queue/support.ts";
import { freePort, startRedis, type TestRedis } from "../support/redis.ts";
import { SlackUser } from "../support/slack-user.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** What the app may do is what the manifest asks for, so that a missing permission shows here. */
const manifest = z
  .object({
    features: z.object({ slash_commands: z.array(z.object({ command: z.string() })) }),
    oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
    settings: z.object({ event_subscriptions: z.object({ bot_events: z.array(z.string()) }) }),
  })
  .parse(JSON.parse(readFileSync(new URL("../../slack-manifest.json", import.meta.url), "utf8")));

interface World {
  slack: LocalSlack;
  you: SlackUser;
  app: SlackApp;
  queue: TurnQueue;
  /** Turns that came out of the queue at the worker's end. */
  turns: Turn[];
  /** The next turn whose command is this one. */
  turn(command: string): Promise<Turn>;
  fatal: SlackAppError[];
}

interface WorldOptions {
  transport?: "socket" | "http";
  access?: AppConfig["access"];
  expose?: AppConfig["expose"];
  events?: string[];
  redis?: TestRedis;
  retryDelaysMs?: number[];
  withWorker?: boolean;
  name?: string;
}

async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { transport = "socket", access = {}, withWorker = true, name = prefix() } = options;
  const { url: redisUrl } = options.redis ?? redis;
  const port = await freePort();
  const slack = await startSlack({
    workspace: createWorkspaceConfig({
      rateLimits: false,
      delivery: { ackTimeoutMs: 3_000, retryDelaysMs: options.retryDelaysMs ?? [100, 300, 500] },
      app: {
        name: "Mom",
        botName: "mom",
        scopes: manifest.oauth_config.scopes.bot,
        events: options.events ?? manifest.settings.event_subscriptions.bot_events,
        commands: [{ command: "/mom", description: "", usageHint: "" }],
        ...(transport === "http" ? { requestUrl: `http://127.0.0.1:${port}/slack/events` } : {}),
      },
    }),
  });
  onTestFinished(() => slack.close());
  const { botToken, appToken, signingSecret } = slack.workspace.config.app;
  const queue = new TurnQueue({ redisUrl, prefix: name, log: quiet });
  onTestFinished(() => queue.close());
  const fatal: SlackAppError[] = [];
  const app = createApp({
    config: {
      access,
      expose: options.expose,
      slack: {
        botToken,
        apiUrl: slack.apiUrl,
        transport:
          transport === "http"
            ? { kind: "http", signingSecret, port }
            : { kind: "socket", appToken },
      },
    },
    queue,
    log: quiet,
    onFatal: (error) => fatal.push(error),
  });
  await app.start();
  onTestFinished(() => app.stop());
  const turns: Turn[] = [];
  if (withWorker) {
    const taker = new TurnTaker({
      redisUrl,
      prefix: name,
      workerId: "w1",
      log: quiet,
      timing: quick,
      abandon: async () => {},
      handle: async (turn) => {
        turns.push(turn);
        return done;
      },
    });
    await taker.run();
    onTestFinished(() => taker.close({ deadlineMs: 0 }));
  }
  const you = await SlackUser.open(slack);
  onTestFinished(() => you.close());
  return {
    slack,
    you,
    app,
    queue,
    turns,
    fatal,
    async turn(command) {
      await until(() => turns.some((turn) => turn.command === command));
      const found = turns.find((turn) => turn.command === command);
      if (!found) throw new Error("no turn");
      return found;
    },
  };
}

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("/mom COMMAND starts a thread with the command as its first message", async () => {
    const { you, turn } = await openWorld({ transport });
    await you.slash("/mom python3 -c 'print(2**100)'");
    const ran = await turn("python3 -c 'print(2**100)'");
    const root = await you.waitFor((message) => message.ts === ran.thread.threadTs);
    expect(root.user).toBe(you.appUserId);
    expect(root.text).toBe(`<@${you.userId}>: python3 -c 'print(2**100)'`);
    expect(ran).toMatchObject({ userId: you.userId, messageTs: root.ts, language: "bash" });
  });

  test("@mom COMMAND starts a thread; mentions in it go on there; other replies are left alone", async () => {
    const { you, turn, turns } = await openWorld({ transport });
    const root = await you.say("general", "@mom cd /tmp && pwd");
    const first = await turn("cd /tmp && pwd");
    expect(first.thread.threadTs).toBe(root.ts);
    expect(first.messageTs).toBe(root.ts);
    await you.reply(root, "what does that do?");
    const reply = await you.reply(root, "@mom ls > “a b” —all");
    const second = await turn('ls > "a b" --all');
    expect(threadKey(second.thread)).toBe(threadKey(first.thread));
    expect(second.messageTs).toBe(reply.ts);
    await sleep(200);
    expect(turns).toHaveLength(2);
  });

  test("the Stop button stops its thread", async () => {
    const { you, slack, queue } = await openWorld({ transport, withWorker: false });
    const root = await you.say("general", "@mom sleep inf");
    await until(async () => (await queue.status()).busyThreads === 1);
    const { team, app } = slack.workspace.config;
    const thread = { teamId: team.id, channelId: root.channel, threadTs: root.ts };
    await fetch(`${slack.apiUrl}chat.postMessage`, {
      method: "POST",
      headers: { Authorization: `Bearer ${app.botToken}`, "Content-Type": "application/json" },
      body: JSON.stringify({
        channel: root.channel,
        thread_ts: root.ts,
        text: "running",
        blocks: [
          {
            type: "actions",
            elements: [
              {
                type: "button",
                action_id: STOP_ACTION,
                text: { type: "plain_text", text: "Stop" },
                value: threadKey(thread),
              },
            ],
          },
        ],
      }),
    });
    const running = await you.waitForReply(root, (message) => message.text === "running");
    await you.click(running, "Stop");
    await until(async () => (await queue.status()).busyThreads === 0);
    expect(await queue.journal(thread)).toMatchObject([
      { status: "canceled", stoppedBy: you.userId },
    ]);
  });

  test("an event that could not be queued is not acknowledged, and runs when Slack tries again", async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const name = prefix();
    const retryDelaysMs = [300, 2_000, 4_000];
    const world = await openWorld({ transport, redis: own, name, retryDelaysMs });
    await own.kill();
    await world.you.say("general", "@mom date");
    await sleep(1_000);
    expect(world.turns).toEqual([]);
    await own.restart();
    await world.turn("date");
    await sleep(500);
    expect(world.turns).toHaveLength(1);
  });
});

describe("one message is one turn", () => {
  test("that arrives as message and as app_mention", async () => {
    const events = ["app_mention", "message.channels", "message.im"];
    const { you, turn, turns } = await openWorld({ events });
    await you.say("general", "@mom date");
    await turn("date");
    await sleep(300);
    expect(turns).toHaveLength(1);
  });

  test("that is delivered twice, as a retry and under a new id", async () => {
    const { you, turn, turns, slack } = await openWorld();
    slack.faults.add({ kind: "duplicate-event" });
    slack.faults.add({ kind: "duplicate-event", newEventId: true });
    await you.say("general", "@mom one");
    await you.say("general", "@mom two");
    await turn("one");
    await turn("two");
    await sleep(300);
    expect(turns).toHaveLength(2);
  });

  test("whose acknowledgement was lost", async () => {
    const { you, turn, turns, slack } = await openWorld();
    slack.faults.add({ kind: "lose-ack" });
    await you.say("general", "@mom date");
    await turn("date");
    await sleep(4_000);
    expect(turns).toHaveLength(1);
  });

  test("that is edited afterwards", async () => {
    const events = ["app_mention", "message.channels", "message.im"];
    const { you, turn, turns } = await openWorld({ events });
    const message = await you.say("general", "@mom date");
    await turn("date");
    await you.edit(message, "@mom date -u");
    await sleep(300);
    expect(turns).toHaveLength(1);
  });
});

describe("in a direct message", () => {
  test("every message is a command, and all of them go to one sandbox", async () => {
    const { you, turn } = await openWorld();
    await you.dm("cd /tmp");
    await you.dm("pwd");
    const [first, second] = [await turn("cd /tmp"), await turn("pwd")];
    expect(first.thread.threadTs).toBe("dm");
    expect(threadKey(second.thread)).toBe(threadKey(first.thread));
  });

  test("a thread is a sandbox of its own", async () => {
    const { you, turn } = await openWorld();
    const root = await you.dm("first");
    await you.reply(root, "second");
    expect((await turn("second")).thread.threadTs).toBe(root.ts);
  });

  test("help is shown at the top level", async () => {
    const { you, turns } = await openWorld();
    await you.dm("help");
    const help = await you.waitFor((message) => message.text.includes("its own Linux computer"));
    expect(help.thread_ts).toBeUndefined();
    expect(turns).toEqual([]);
  });
});

describe("files", () => {
  test("go with the command", async () => {
    const { you, turn } = await openWorld();
    const bytes = new TextEncoder().encode("a,b\n1,2\n");
    await you.say("general", "@mom cat data.csv", { files: [{ name: "data.csv", bytes }] });
    const { attachments } = await turn("cat data.csv");
    expect(attachments).toMatchObject([{ name: "data.csv", size: bytes.length }]);
    expect(attachments[0]?.url).toMatch(/^http/);
  });

  test("without a command are put into the sandbox and listed", async () => {
    const { you, turn } = await openWorld();
    await you.dm("", { files: [{ name: "a.bin", bytes: new Uint8Array(3) }] });
    expect((await turn("ls -l")).attachments).toMatchObject([{ name: "a.bin" }]);
  });
});

describe("what Mom says herself", () => {
  test.each(["@mom", "@mom help"])("%s is answered with help in its thread", async (text) => {
    const { you } = await openWorld();
    const message = await you.say("general", text);
    const help = await you.waitForReply(message);
    expect(help.blocks?.[0]).toMatchObject({ type: "header" });
  });

  test.each(["/mom", "/mom help"])("%s is answered with help in private", async (text) => {
    const { you } = await openWorld();
    await you.slash(text);
    const help = await you.waitFor((message) => message.is_ephemeral === true);
    expect(help.blocks?.[0]).toMatchObject({ type: "header" });
  });

  test("in a channel without her, /mom asks in private to be invited", async () => {
    const { you } = await openWorld();
    await you.slash("/mom date", "random");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("/invite");
    expect(hint.channel).toBe(you.channelId("random"));
  });

  test("a message that is about her gets a private hint", async () => {
    const { you, turns } = await openWorld();
    await you.say("general", "thanks @mom");
    await you.waitFor((message) => message.is_ephemeral === true);
    expect(turns).toEqual([]);
  });

  test("stop where nothing runs is told in private", async () => {
    const { you } = await openWorld();
    await you.say("general", "@mom stop");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toBe("Nothing is running here.");
  });

  test("stop takes back a command that still waits", async () => {
    const { you, queue } = await openWorld({ withWorker: false });
    const root = await you.say("general", "@mom sleep inf");
    await until(async () => (await queue.status()).busyThreads === 1);
    await you.reply(root, "@mom stop");
    const told = await you.waitForReply(root);
    expect(told.text).toContain("took back");
    expect((await queue.status()).busyThreads).toBe(0);
  });

  test("a port's address, where the operator has set one, and else what to set", async () => {
    const url = "https://apps.example.org";
    const expose = { listen: { host: "127.0.0.1", port: 8090 }, url };
    const { you, turn } = await openWorld({ expose });
    const root = await you.say("general", "@mom python3 -m http.server &");
    await turn("python3 -m http.server &");
    await you.reply(root, "@mom expose 8000");
    const shown = await you.waitForReply(root, ({ text }) => text.startsWith("Port 8000 "));
    expect(shown.is_ephemeral).toBeUndefined();
    expect(shown.text).toMatch(/<https:\/\/[a-z2-7]{32}\.apps\.example\.org\/>/);
    const without = await openWorld();
    const other = await without.you.say("general", "@mom expose 8000");
    const hint = await without.you.waitForReply(other, ({ is_ephemeral }) => is_ephemeral === true);
    expect(hint.text).toContain("the operator has to set `MOM_EXPOSE_LISTEN`");
    await without.you.slash("/mom expose 8000");
    await without.you.waitFor(({ text }) => text.includes("`expose` in the thread"));
  });

  test("with Redis down a slash command gets a private sentence, and no thread", async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const { you } = await openWorld({ redis: own });
    await own.kill();
    await you.slash("/mom date");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("try again");
    expect(you.messages("general").filter((message) => !message.is_ephemeral)).toEqual([]);
  });

  test("who is not on the list is told so, and nothing runs", async () => {
    const { you, turns } = await openWorld({ access: { users: new Set(["U0NOBODY"]) } });
    await you.say("general", "@mom date");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("not on the list");
    await you.slash("/mom date");
    await until(() => you.messages().filter((message) => message.is_ephemeral).length === 2);
    expect(turns).toEqual([]);
  });
});

test("a mention inside a command becomes the person's name", async () => {
  const { you, turn } = await openWorld();
  await you.say("general", "@mom git log --author=x @ada");
  await turn("git log --author=x @ada");
});

test("a fenced block runs in its language", async () => {
  const { you, turn } = await openWorld();
  await you.say("general", "@mom try this:\n```python\nif 1 < 2 and True:\n  print('a')\n```");
  const ran = await turn("if 1 < 2 and True:\n  print('a')");
  expect(ran.language).toBe("python");
});

describe("the connection", () => {
  test("comes back at once when Slack recycles it, and after it was cut", async () => {
    const { you, slack, turn } = await openWorld();
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
    const { you, slack, turn, fatal } = await openWorld({ retryDelaysMs });
    slack.faults.add({ kind: "http-status", method: "apps.connections.open", times: 3 });
    slack.faults.add({ kind: "refuse-socket", times: 1 });
    slack.faults.dropSockets();
    await until(() => slack.faults.pending().length === 0);
    await you.say("general", "@mom date");
    await turn("date");
    expect(fatal).toEqual([]);
  });

  test("survives a frame that is not JSON", async () => {
    const { you, slack, turn } = await openWorld();
    slack.faults.garbleSockets();
    await you.say("general", "@mom date");
    await turn("date");
  });

  test("ends with one sentence when the token is revoked", async () => {
    const { slack, fatal } = await openWorld();
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
  async function startWith(change: (slack: AppConfig["slack"]) => void, redisUrl = redis.url) {
    const slack = await startSlack({ workspace: createWorkspaceConfig({ rateLimits: false }) });
    onTestFinished(() => slack.close());
    const { botToken, appToken } = slack.workspace.config.app;
    const config: AppConfig["slack"] = {
      botToken,
      apiUrl: slack.apiUrl,
      transport: { kind: "socket", appToken },
    };
    change(config);
    const queue = new TurnQueue({ redisUrl, prefix: prefix(), log: quiet });
    onTestFinished(() => queue.close());
    const app = createApp({
      config: { slack: config, access: {} },
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
    const error = await startWith((config) => {
      config.botToken = "xoxb-wrong";
    });
    expect(error).toMatchObject({ code: "SLACK_REFUSED" });
    expect(String(error)).toContain("SLACK_BOT_TOKEN (invalid_auth)");
  });

  test("a wrong app token", async () => {
    const error = await startWith((config) => {
      config.transport = { kind: "socket", appToken: "xapp-wrong" };
    });
    expect(error).toMatchObject({ code: "SLACK_REFUSED" });
    expect(String(error)).toContain("SLACK_APP_TOKEN (invalid_auth)");
  });

  test("no Slack at the address", async () => {
    const port = await freePort();
    const error = await startWith((config) => {
      config.apiUrl = `http://127.0.0.1:${port}/api/`;
    });
    expect(error).toMatchObject({ code: "SLACK_UNREACHABLE" });
    expect(String(error)).toMatch(/127\.0\.0\.1.*ECONNREFUSED.*SLACK_API_URL/);
  });

  test("no Redis at the address", async () => {
    const port = await freePort();
    const error = await startWith(() => {}, `redis://127.0.0.1:${port}`);
    expect(error).toMatchObject({ code: "REDIS_UNREACHABLE" });
  });

  test("a port that is taken", async () => {
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen(port, resolve));
    onTestFinished(() => void taken.close());
    const error = await startWith((config) => {
      config.transport = { kind: "http", signingSecret: "0123456789abcdef", port };
    });
    expect(error).toMatchObject({ code: "PORT_UNAVAILABLE" });
    expect(String(error)).toContain("EADDRINUSE");
  });
});

test("a request over HTTP without Slack's signature is refused, and nothing runs", async () => {
  const { turns, slack } = await openWorld({ transport: "http" });
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
