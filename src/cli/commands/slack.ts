import type { Command } from "commander";
import { type CliContext, untilAborted } from "../context.ts";
import { withExamples } from "../help.ts";
import { portNumber } from "../options.ts";

interface SlackOptions {
  port: number;
  requestUrl?: string;
  json?: true;
}

export function registerSlack(program: Command, context: CliContext): void {
  const command = program
    .command("slack")
    .description(
      "Run the local Slack alone: Web API, Socket Mode, signed HTTP, and a page to chat in",
    )
    .option(
      "--port <number>",
      "port of the page and the API; 0 for any that is free",
      portNumber,
      0,
    )
    .option("--request-url <url>", "send events there by signed HTTP instead of Socket Mode")
    .option("--json", "print its addresses and tokens as one JSON object")
    .action((options: SlackOptions) => run(context, options));
  withExamples(
    command,
    "slack --port 7070",
    "slack --request-url http://127.0.0.1:3000/slack/events",
  );
}

async function run(context: CliContext, options: SlackOptions): Promise<void> {
  const { startSlack } = await import("../../../demo/index.ts");
  const { workspaceWithMom } = await import("../workspace.ts");
  const workspace = workspaceWithMom(context.root, context.env, options.requestUrl);
  const slack = await startSlack({ workspace, port: options.port });
  try {
    const { botToken, appToken, signingSecret } = workspace.app;
    const settings = {
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: botToken,
      ...(options.requestUrl
        ? { SLACK_SIGNING_SECRET: signingSecret }
        : { SLACK_APP_TOKEN: appToken }),
    };
    const text = options.json
      ? JSON.stringify({ pageUrl: slack.pageUrl, ...settings })
      : [
          `The local Slack is ready: ${slack.pageUrl}`,
          ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
        ].join("\n");
    // As a part of the demo its output is a log, which is no place for tokens.
    if (process.channel === undefined) context.stdout.write(`${text}\n`);
    context.tellParent({ event: "ready", url: slack.url });
    await untilAborted(context.signal);
  } finally {
    await slack.close();
  }
}
