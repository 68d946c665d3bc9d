import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { createWorkspaceConfig, type LocalSlack, startSlack } from "../../../demo/index.ts";
import type { AppConfig } from "../../../src/config/index.ts";
import type { Turn, TurnQueue } from "../../../src/queue/index.ts";
import { createApp, type SlackApp, type SlackAppError } from "../../../src/slack/index.ts";
import { done, prefix, quiet, until } from "../../queue/support.ts";
import type { QueueWorld } from "../../queue/world.ts";
import { freePort } from "../../support/redis.ts";
import { SlackUser } from "../../support/slack-user.ts";

/** What the app may do is what the manifest asks for, so that a missing permission shows here. */
const manifest = z
  .object({
    features: z.object({ slash_commands: z.array(z.object({ command: z.string() })) }),
    oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
    settings: z.object({ event_subscriptions: z.object({ bot_events: z.array(z.string()) }) }),
  })
  .parse(
    JSON.parse(readFileSync(new URL("../../../slack-manifest.json", import.meta.url), "utf8")),
  );

export interface World {
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

export interface WorldOptions {
  transport?: "socket" | "http";
  access?: AppConfig["access"];
  expose?: AppConfig["expose"];
  events?: string[];
  retryDelaysMs?: number[];
  withWorker?: boolean;
  name?: string;
}

export async function openWorld(queues: QueueWorld, options: WorldOptions = {}): Promise<World> {
  const { transport = "socket", access = {}, withWorker = true, name = prefix() } = options;
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
  const queue = await queues.queue(name);
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
    await queues.taker(name, {
      handle: async (turn) => {
        turns.push(turn);
        return done;
      },
    });
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
