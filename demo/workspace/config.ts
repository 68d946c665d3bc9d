import { randomBytes } from "node:crypto";
import { slackId } from "./ids.ts";

/** A workspace as it stands when the server starts: people, channels, and the one app that is installed. */
export interface WorkspaceConfig {
  team: { id: string; name: string; domain: string };
  /** Humans; the first one is who the page shows itself as. */
  users: { id: string; name: string; realName: string }[];
  channels: { id: string; name: string; topic?: string; withApp?: boolean }[];
  app: AppConfig;
  delivery: DeliveryConfig;
  /** `false` answers every call; without it Slack's published limits hold. */
  rateLimits: RateLimitConfig | false;
  limits: { fileBytes: number; filesTotalBytes: number; messagesPerChannel: number };
  /** Curly quotes and dashes put in place of plain ones, as macOS and iOS clients do while one types. */
  smartPunctuation: boolean;
}

export interface AppConfig {
  id: string;
  name: string;
  botId: string;
  botUserId: string;
  /** Handle of the bot, as typed after `@`. */
  botName: string;
  botToken: string;
  appToken: string;
  signingSecret: string;
  verificationToken: string;
  scopes: string[];
  /** Event types as subscribed at api.slack.com: `app_mention`, `message.channels`, `message.im`, … */
  events: string[];
  commands: SlashCommandConfig[];
  /** Where events, commands and clicks are posted; without it they go through Socket Mode. */
  requestUrl?: string;
}

export interface SlashCommandConfig {
  /** With the slash. */
  command: string;
  description: string;
  usageHint: string;
  /** Escape channels, users and links sent to the app. */
  shouldEscape?: boolean;
}

export interface DeliveryConfig {
  /** Slack waits 3 s for an acknowledgement. */
  ackTimeoutMs: number;
  /** Slack tries again at once, after 1 minute and after 5 minutes. */
  retryDelaysMs: number[];
  /** Slack's response URLs hold for 30 minutes. */
  responseUrlLifetimeMs: number;
  /** Slack's trigger ids hold for 3 s. */
  triggerLifetimeMs: number;
  pingIntervalMs: number;
}

export interface RateLimitConfig {
  /** Calls a minute and burst by method, over Slack's own. */
  methods?: Record<string, { perMinute: number; burst: number }>;
}

export const SLACK_DELIVERY: DeliveryConfig = {
  ackTimeoutMs: 3_000,
  retryDelaysMs: [0, 60_000, 300_000],
  responseUrlLifetimeMs: 30 * 60_000,
  triggerLifetimeMs: 3_000,
  pingIntervalMs: 10_000,
};

const BOT_SCOPES =
  "app_mentions:read assistant:write channels:history channels:join channels:read chat:write chat:write.public commands files:read files:write groups:history groups:read im:history im:read im:write reactions:read reactions:write team:read users:read";

const BOT_EVENTS =
  "app_mention message.channels message.groups message.im reaction_added reaction_removed member_joined_channel agent_session_stopped app_home_opened";

export interface WorkspaceOptions extends Partial<Omit<WorkspaceConfig, "app" | "delivery">> {
  app?: Partial<AppConfig>;
  delivery?: Partial<DeliveryConfig>;
}

/**
 * A workspace with one person in two channels and an app in the first, fresh ids and tokens.
 *
 * @example
 * const workspace = createWorkspaceConfig({ app: { botName: "helper" }, rateLimits: false });
 */
export function createWorkspaceConfig(options: WorkspaceOptions = {}): WorkspaceConfig {
  const { app, delivery, ...rest } = options;
  return {
    team: { id: slackId("T"), name: "Acme", domain: "acme" },
    users: [
      { id: slackId("U"), name: "you", realName: "You" },
      { id: slackId("U"), name: "ada", realName: "Ada Lovelace" },
    ],
    channels: [
      { id: slackId("C"), name: "general", topic: "Everything for everyone", withApp: true },
      { id: slackId("C"), name: "random", topic: "Things that are not work" },
    ],
    rateLimits: {},
    limits: {
      fileBytes: 1024 * 1024 * 1024,
      filesTotalBytes: 2 * 1024 * 1024 * 1024,
      messagesPerChannel: 10_000,
    },
    smartPunctuation: false,
    ...rest,
    app: {
      id: slackId("A"),
      name: "App",
      botId: slackId("B"),
      botUserId: slackId("U"),
      botName: "app",
      botToken: `xoxb-${digits(12)}-${digits(12)}-${secret(12)}`,
      appToken: `xapp-1-${slackId("A")}-${digits(13)}-${secret(32)}`,
      signingSecret: randomBytes(16).toString("hex"),
      verificationToken: secret(12),
      scopes: BOT_SCOPES.split(" "),
      events: BOT_EVENTS.split(" "),
      commands: [],
      ...app,
    },
    delivery: { ...SLACK_DELIVERY, ...delivery },
  };
}

function digits(count: number): string {
  return Array.from(randomBytes(count), (byte) => byte % 10).join("");
}

function secret(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
