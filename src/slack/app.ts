import { App, HTTPReceiver, type Receiver, webApi } from "@slack/bolt";
import { z } from "zod";
import type { AppConfig } from "../config/index.ts";
import { type Log, parseThreadKey, type TurnQueue } from "../queue/index.ts";
import { Conversation, type Identity } from "./conversation.ts";
import { SlackAppError } from "./errors.ts";
import { LateAckReceiver } from "./late-ack.ts";
import { boltLogger } from "./logger.ts";
import { messageSchema } from "./message.ts";
import { startError } from "./slack-errors.ts";
import { SocketReceiver } from "./socket-receiver.ts";

export interface SlackAppOptions {
  config: Pick<AppConfig, "slack" | "access" | "expose">;
  queue: TurnQueue;
  log: Log;
  /** The app cannot go on (a token was revoked): show the sentence and end the process. */
  onFatal(error: SlackAppError): void;
}

export interface SlackApp {
  /** Connect to Slack and listen. Throws `SlackAppError` or `QueueError`, each one clear sentence. */
  start(): Promise<void>;
  /** Take nothing more, and finish what was begun. */
  stop(): Promise<void>;
}

/** Value of the Stop button is the `threadKey` of the thread to stop. */
export const STOP_ACTION = "stop_turn";

/** Slack waits three seconds for an answer to a slash command, and then shows an error. */
const ACK_WITHIN_MS = 2_000;
const CALL_TIMEOUT_MS = 10_000;
const START_RETRIES = { retries: 2, minTimeout: 500, maxTimeout: 2_000 };
const CALL_RETRIES = { retries: 4, minTimeout: 500, maxTimeout: 10_000 };

/**
 * The app that people talk to. The order for everything that arrives: verify, put into the mailbox, acknowledge.
 *
 * @example
 * const app = createApp({ config: appConfig(env), queue, log, onFatal });
 * await app.start();
 */
export function createApp({ config, queue, log, onFatal }: SlackAppOptions): SlackApp {
  let running: { app: App; conversation: Conversation } | undefined;
  return {
    async start() {
      await queue.ready();
      await queue.prepare();
      const identity = await identify(config.slack);
      const receiver = new LateAckReceiver(createReceiver(config.slack, log, onFatal));
      const app = new App({
        token: config.slack.botToken,
        // Known already, so that Bolt makes no call of its own whose failure nobody would see.
        botId: identity.botId,
        botUserId: identity.botUserId,
        receiver,
        logger: boltLogger(log),
        convoStore: false,
        clientOptions: {
          slackApiUrl: config.slack.apiUrl,
          timeout: CALL_TIMEOUT_MS,
          retryConfig: CALL_RETRIES,
        },
      });
      const { client } = app;
      const conversation = new Conversation({
        identity,
        queue,
        client,
        access: config.access,
        expose: config.expose,
        log,
      });
      listen(app, conversation, log);
      await startReceiver(app, config.slack);
      running = { app, conversation };
      log.info({ team: identity.teamId, transport: config.slack.transport.kind }, "listening");
    },
    async stop() {
      if (!running) return;
      const { app, conversation } = running;
      running = undefined;
      await app.stop();
      await conversation.settle();
    },
  };
}

function listen(app: App, conversation: Conversation, log: Log): void {
  const onMessage = async ({ event }: { event: unknown }) => {
    const message = messageSchema.safeParse(event);
    if (message.success) await conversation.onMessage(message.data);
  };
  app.event("app_mention", onMessage);
  app.event("message", onMessage);

  // Whatever name the command was given at api.slack.com: Slack sends this app its own commands only.
  app.command(/^\//, async ({ command, ack, respond }) => {
    const said = conversation.onSlashCommand({
      text: command.text,
      userId: command.user_id,
      channelId: command.channel_id,
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), ACK_WITHIN_MS);
    });
    const first = await Promise.race([said, late]);
    clearTimeout(timer);
    if (first !== "late") return first ? ack({ response_type: "ephemeral", ...first }) : ack();
    await ack();
    const shown = await said;
    if (shown) await respond({ response_type: "ephemeral", ...shown });
  });

  app.action(STOP_ACTION, async ({ action, body, ack, respond }) => {
    await ack();
    const thread = parseThreadKey(stopSchema.parse(action).value);
    // A button of ours, but clicked in Slack: it stops its own channel's thread and no other.
    if (!thread || thread.channelId !== body.channel?.id) return;
    try {
      await conversation.onStopButton(thread, body.user.id);
    } catch (err) {
      log.error({ err }, "a stop could not be passed on");
      const text = "I could not stop it: my queue is away. Please try again in a minute.";
      await respond({ response_type: "ephemeral", replace_original: false, text });
    }
  });

  // An error that gets here withholds the acknowledgement of an event, and Slack delivers it again.
  app.error(async (err) => {
    log.error({ err: err.original ?? err }, "something that Slack sent could not be taken");
    throw err;
  });
}

const stopSchema = z.object({ value: z.string() });

function createReceiver(
  { transport, apiUrl }: AppConfig["slack"],
  log: Log,
  onFatal: (error: SlackAppError) => void,
): Receiver {
  if (transport.kind === "socket") {
    return new SocketReceiver({ appToken: transport.appToken, apiUrl, log, onFatal });
  }
  const { signingSecret, port } = transport;
  return new HTTPReceiver({
    signingSecret,
    port,
    endpoints: ["/slack/events", "/slack/commands", "/slack/interactive"],
    logger: boltLogger(log),
  });
}

async function startReceiver(app: App, { transport }: AppConfig["slack"]): Promise<void> {
  try {
    await app.start();
  } catch (error) {
    if (error instanceof SlackAppError || transport.kind === "socket") throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new SlackAppError(
      "PORT_UNAVAILABLE",
      `Port ${transport.port} cannot be listened on (${code}): set PORT to another one.`,
      { cause: error },
    );
  }
}

/** Ask Slack who the bot token belongs to. Throws `SlackAppError`. */
async function identify({ botToken, apiUrl }: AppConfig["slack"]) {
  const client = new webApi.WebClient(botToken, {
    slackApiUrl: apiUrl,
    timeout: CALL_TIMEOUT_MS,
    retryConfig: START_RETRIES,
    logger: boltLogger({ debug() {}, info() {}, warn() {}, error() {} }),
  });
  try {
    return identitySchema.parse(await client.auth.test());
  } catch (error) {
    throw startError(error, "SLACK_BOT_TOKEN", apiUrl);
  }
}

const identitySchema = z
  .object({ team_id: z.string(), user_id: z.string(), bot_id: z.string() })
  .transform(({ team_id, user_id, bot_id }): Identity & { botId: string } => ({
    teamId: team_id,
    botUserId: user_id,
    botId: bot_id,
  }));
