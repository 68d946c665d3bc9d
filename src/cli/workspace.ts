import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createWorkspaceConfig, type WorkspaceConfig } from "../../demo/index.ts";
import type { Environment } from "../config/environment.ts";

/** The part of an app's manifest that says what Slack gives it. */
const manifestSchema = z.object({
  display_information: z.object({ name: z.string() }),
  features: z.object({
    bot_user: z.object({ display_name: z.string() }),
    slash_commands: z.array(
      z.object({
        command: z.string(),
        description: z.string(),
        usage_hint: z.string().default(""),
        should_escape: z.boolean().default(false),
      }),
    ),
  }),
  oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
  settings: z.object({ event_subscriptions: z.object({ bot_events: z.array(z.string()) }) }),
});

/**
 * A workspace of the local Slack with Mom installed in it from `slack-manifest.json`, as at api.slack.com: it gets the
 * events and may make the calls that the manifest asks for, and no others. Tokens that are set in the environment are
 * the ones that it takes; the others are made up.
 */
export function workspaceWithMom(
  root: string,
  env: Environment,
  requestUrl?: string,
): WorkspaceConfig {
  const text = readFileSync(join(root, "slack-manifest.json"), "utf8");
  const manifest = manifestSchema.parse(JSON.parse(text));
  const { SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET } = env;
  return createWorkspaceConfig({
    app: {
      name: manifest.display_information.name,
      botName: manifest.features.bot_user.display_name,
      scopes: manifest.oauth_config.scopes.bot,
      events: manifest.settings.event_subscriptions.bot_events,
      commands: manifest.features.slash_commands.map((command) => ({
        command: command.command,
        description: command.description,
        usageHint: command.usage_hint,
        shouldEscape: command.should_escape,
      })),
      ...(SLACK_BOT_TOKEN ? { botToken: SLACK_BOT_TOKEN } : {}),
      ...(SLACK_APP_TOKEN ? { appToken: SLACK_APP_TOKEN } : {}),
      ...(SLACK_SIGNING_SECRET ? { signingSecret: SLACK_SIGNING_SECRET } : {}),
      ...(requestUrl ? { requestUrl } : {}),
    },
  });
}
