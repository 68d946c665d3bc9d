import { z } from "zod";
import { wireMessage } from "../../delivery/event-payloads.ts";
import type { Channel, Message } from "../../workspace/types.ts";
import {
  type ApiContext,
  type ApiMethods,
  channelOf,
  count,
  flag,
  memberChannelOf,
  messageOf,
  method,
} from "../call.ts";
import { SlackApiError } from "../errors.ts";

const DEFAULT_TYPES = "public_channel";
const channel = z.string().default("");
const page = { cursor: z.string().default(""), limit: count(100, 1_000) };
const range = {
  channel,
  oldest: z.string().default("0"),
  latest: z.string().default(""),
  inclusive: flag,
  include_all_metadata: flag,
  ...page,
};
const listSchema = z.object({ types: z.string().default(DEFAULT_TYPES), ...page });

export const conversationMethods: ApiMethods = {
  "conversations.list": method("channels:read", listSchema, (context, args) => {
    const all = [...context.workspace.channels.values()].filter(ofTypes(args.types));
    const visible = all.filter((item) => item.kind === "channel" || hasApp(context, item));
    return { channels: paged(visible, args, (item) => channelObject(context, item)) };
  }),

  "users.conversations": method("channels:read", listSchema, (context, args) => {
    const all = [...context.workspace.channels.values()].filter(ofTypes(args.types));
    const joined = all.filter((item) => hasApp(context, item));
    return { channels: paged(joined, args, (item) => channelObject(context, item)) };
  }),

  "conversations.info": method("channels:read", z.object({ channel }), (context, args) => ({
    channel: channelObject(context, channelOf(context, args.channel)),
  })),

  "conversations.members": method(
    "channels:read",
    z.object({ channel, ...page }),
    (context, args) => ({ members: [...channelOf(context, args.channel).members] }),
  ),

  "conversations.join": method("channels:join", z.object({ channel }), (context, args) => {
    const joined = channelOf(context, args.channel);
    if (joined.kind === "im") {
      throw new SlackApiError("method_not_supported_for_channel_type");
    }
    context.workspace.join(joined, context.workspace.config.app.botUserId);
    return { channel: channelObject(context, joined) };
  }),

  "conversations.open": method(
    "im:write",
    z.object({ users: z.string().optional(), channel: z.string().optional() }),
    (context, args) => {
      const { workspace } = context;
      if (args.channel) return { channel: { id: channelOf(context, args.channel).id } };
      const user = workspace.users.get(args.users ?? "");
      if (!user || user.isBot) throw new SlackApiError("user_not_found");
      const opened = workspace.openDirectMessage(user.id, workspace.config.app.botUserId);
      return { channel: { id: opened.id } };
    },
  ),

  "conversations.history": method("channels:history", z.object(range), (context, args) => {
    const found = memberChannelOf(context, args.channel);
    const isReply = (message: Message) => message.thread_ts && message.thread_ts !== message.ts;
    const newestFirst = context.workspace
      .messages(found.id)
      .filter((message) => !isReply(message) && inRange(message, args))
      .reverse();
    return messagePage(newestFirst, args);
  }),

  "conversations.replies": method(
    "channels:history",
    z.object({ ...range, ts: z.string().default("") }),
    (context, args) => {
      const found = memberChannelOf(context, args.channel);
      const message = context.workspace.message(found.id, args.ts);
      if (!message) throw new SlackApiError("thread_not_found");
      const rootTs = message.thread_ts ?? message.ts;
      const messages = context.workspace
        .thread(found.id, rootTs)
        .filter((candidate) => candidate.ts === rootTs || inRange(candidate, args));
      return messagePage(messages, args);
    },
  ),

  "reactions.add": method("reactions:write", reactionSchema(), (context, args) => {
    const { found, message, user } = reactionTarget(context, args);
    if (!/^[\w+'-]+(::skin-tone-\d)?$/.test(args.name)) throw new SlackApiError("invalid_name");
    if (!context.workspace.react(found.id, message, user, args.name)) {
      throw new SlackApiError("already_reacted");
    }
    return {};
  }),

  "reactions.remove": method("reactions:write", reactionSchema(), (context, args) => {
    const { found, message, user } = reactionTarget(context, args);
    if (!context.workspace.unreact(found.id, message, user, args.name)) {
      throw new SlackApiError("no_reaction");
    }
    return {};
  }),

  "reactions.get": method("reactions:read", reactionSchema(), (context, args) => {
    const { found, message } = reactionTarget(context, args);
    return { type: "message", channel: found.id, message: wireMessage(message) };
  }),
};

function reactionSchema() {
  return z.object({
    channel,
    timestamp: z.string().default(""),
    name: z.string().default(""),
  });
}

function reactionTarget(context: ApiContext, args: { channel: string; timestamp: string }) {
  const found = memberChannelOf(context, args.channel);
  const message = messageOf(context, found, args.timestamp);
  return { found, message, user: context.workspace.config.app.botUserId };
}

function hasApp(context: ApiContext, item: Channel): boolean {
  return item.members.has(context.workspace.config.app.botUserId);
}

function ofTypes(types: string): (item: Channel) => boolean {
  const wanted = new Set(types.split(/[\s,]+/));
  return (item) => wanted.has(item.kind === "im" ? "im" : "public_channel");
}

function channelObject(context: ApiContext, item: Channel): Record<string, unknown> {
  const { botUserId } = context.workspace.config.app;
  const common = {
    id: item.id,
    created: item.createdSeconds,
    is_archived: false,
    context_team_id: context.workspace.config.team.id,
  };
  if (item.kind === "im") {
    const user = [...item.members].find((member) => member !== botUserId) ?? botUserId;
    return { ...common, is_im: true, is_channel: false, user, is_user_deleted: false };
  }
  return {
    ...common,
    name: item.name,
    name_normalized: item.name,
    is_channel: true,
    is_group: false,
    is_im: false,
    is_mpim: false,
    is_private: false,
    is_general: item.name === "general",
    is_member: item.members.has(botUserId),
    creator: item.creator,
    num_members: item.members.size,
    topic: { value: item.topic, creator: item.creator, last_set: item.createdSeconds },
    purpose: { value: "", creator: "", last_set: 0 },
  };
}

function inRange(
  message: Message,
  args: { oldest: string; latest: string; inclusive: boolean },
): boolean {
  const ts = Number(message.ts);
  const oldest = Number(args.oldest);
  const latest = args.latest === "" ? Number.POSITIVE_INFINITY : Number(args.latest);
  return args.inclusive ? ts >= oldest && ts <= latest : ts > oldest && ts < latest;
}

function paged<T, R>(items: T[], args: { limit: number }, show: (item: T) => R): R[] {
  return items.slice(0, args.limit).map(show);
}

function messagePage(
  messages: Message[],
  args: { cursor: string; limit: number; include_all_metadata: boolean },
): Record<string, unknown> {
  const start = args.cursor === "" ? 0 : Number(Buffer.from(args.cursor, "base64url"));
  if (!Number.isInteger(start) || start < 0) throw new SlackApiError("invalid_cursor");
  const end = start + args.limit;
  const hasMore = end < messages.length;
  const next = hasMore ? Buffer.from(String(end)).toString("base64url") : "";
  return {
    messages: messages.slice(start, end).map((message) => ({
      ...wireMessage(message),
      ...(args.include_all_metadata && message.metadata ? { metadata: message.metadata } : {}),
    })),
    has_more: hasMore,
    response_metadata: { next_cursor: next },
  };
}
