import { createWorkspaceConfig, type WorkspaceConfig } from "../../demo/index.ts";
import type { Environment } from "../config/environment.ts";

/**
 * The workspace of the local Slack with Mom installed in it, as `slack-manifest.json` would. Tokens that are set
 * in the environment are the ones that it takes; the others are made up.
 */
export function workspaceWithMom(env: Environment, requestUrl?: string): WorkspaceConfig {
  const { SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_SIGNING_SECRET } = env;
  return createWorkspaceConfig({
    app: {
      name: "Mom",
      botName: "mom",
      commands: [
        {
          command: "/mom",
          description: "Run a command in a new thread with its own computer",
          usageHint: "python3 -c 'print(2**100)'",
        },
      ],
      ...(SLACK_BOT_TOKEN ? { botToken: SLACK_BOT_TOKEN } : {}),
      ...(SLACK_APP_TOKEN ? { appToken: SLACK_APP_TOKEN } : {}),
      ...(SLACK_SIGNING_SECRET ? { signingSecret: SLACK_SIGNING_SECRET } : {}),
      ...(requestUrl ? { requestUrl } : {}),
    },
  });
}
