import { z } from "zod";
import { wireMessage } from "../../delivery/event-payloads.ts";
import { blocksSchema } from "../../workspace/blocks.ts";
import type { Message } from "../../workspace/types.ts";
import {
  type ApiContext,
  type ApiMethods,
  channelOf,
  flag,
  json,
  memberChannelOf,
  messageOf,
  method,
} from "../call.ts";
import { SlackApiError } from "../errors.ts";

/** `chat.postMessage` cuts here; source: https://docs.slack.dev/reference/methods/chat.postMessage#truncating */
const MAX_POSTED_CHARS = 40_000;
/** `chat.update` and `chat.postEphemeral` refuse more than this, whatever the 40,000 of the documentation. */
const MAX_UPDATED_CHARS = 4_000;
const MAX_MARKDOWN_CHARS = 12_000;

const metadataSchema = json(
  z.object({ event_type: z.string().min(1), event_payload: z.record(z.string(), z.unknown()) }),
);

const content = {
  text: z.string().optional(),
  markdown_text: z.string().max(MAX_MARKDOWN_CHARS).optional(),
  blocks: json(blocksSchema).optional(),
  attachments: json(z.array(z.record(z.string(), z.unknown())).max(100)).optional(),
  metadata: metadataSchema.optional(),
};

const postSchema = z.object({
  channel: z.string().default(""),
  thread_ts: z.string().optional(),
  reply_broadcast: flag,
  ...content,
});

export const chatMethods: ApiMethods = {
  "chat.postMessage": method("chat:write", postSchema, (context, args) => {
    const { workspace } = context;
    const channel = channelOf(context, args.channel);
    const { app } = workspace.config;
    const mayPostAnywhere = app.scopes.includes("chat:write.public") && channel.kind === "channel";
    if (!channel.members.has(app.botUserId) && !mayPostAnywhere) {
      throw new SlackApiError("not_in_channel");
    }
    const threadTs = threadOf(context, channel.id, args.thread_ts);
    const drafted = messageContent(args);
    const isCut = drafted.text.length > MAX_POSTED_CHARS;
    const message = workspace.post(channel, {
      ...drafted,
      text: drafted.text.slice(0, MAX_POSTED_CHARS),
      ...author(context),
      ...(threadTs ? { thread_ts: threadTs } : {}),
    });
    if (threadTs) clearStatus(context, channel.id, threadTs);
    return {
      channel: channel.id,
      ts: message.ts,
      message: wireMessage(message),
      ...(isCut ? { response_metadata: { warnings: ["message_truncated"] } } : {}),
    };
  }),

  "chat.update": method(
    "chat:write",
    z.object({ channel: z.string().default(""), ts: z.string().default(""), ...content }),
    (context, args) => {
      const channel = channelOf(context, args.channel);
      const message = messageOf(context, channel, args.ts);
      if (message.user !== context.workspace.config.app.botUserId) {
        throw new SlackApiError("cant_update_message");
      }
      const drafted = messageContent(args);
      if (drafted.text.length > MAX_UPDATED_CHARS) throw new SlackApiError("msg_too_long");
      const edited = { user: message.user, ts: context.workspace.nextTs() };
      // Text without blocks takes the blocks away: what is shown is what was sent.
      const blocks = drafted.blocks;
      context.workspace.change(channel.id, message, { ...drafted, blocks, edited });
      return {
        channel: channel.id,
        ts: message.ts,
        text: message.text,
        message: wireMessage(message),
      };
    },
  ),

  "chat.delete": method(
    "chat:write",
    z.object({ channel: z.string().default(""), ts: z.string().default("") }),
    (context, args) => {
      const channel = channelOf(context, args.channel);
      const message = messageOf(context, channel, args.ts);
      if (message.user !== context.workspace.config.app.botUserId) {
        throw new SlackApiError("cant_delete_message");
      }
      context.workspace.delete(channel.id, message);
      return { channel: channel.id, ts: args.ts };
    },
  ),

  "chat.postEphemeral": method(
    "chat:write",
    z.object({ user: z.string().default(""), ...postSchema.shape }),
    (context, args) => {
      const channel = memberChannelOf(context, args.channel);
      if (!channel.members.has(args.user)) throw new SlackApiError("user_not_in_channel");
      const drafted = messageContent(args);
      if (drafted.text.length > MAX_UPDATED_CHARS) throw new SlackApiError("msg_too_long");
      const message = context.workspace.postEphemeral(channel, args.user, {
        ...drafted,
        ...author(context),
        ...(args.thread_ts ? { thread_ts: args.thread_ts } : {}),
      });
      return { message_ts: message.ts };
    },
  ),

  "chat.getPermalink": method(
    undefined,
    z.object({ channel: z.string().default(""), message_ts: z.string().default("") }),
    (context, args) => {
      const channel = channelOf(context, args.channel);
      const message = messageOf(context, channel, args.message_ts);
      const thread = message.thread_ts ? `?thread_ts=${message.thread_ts}&cid=${channel.id}` : "";
      const anchor = `p${message.ts.replace(".", "")}`;
      return {
        channel: channel.id,
        permalink: `${context.baseUrl}/archives/${channel.id}/${anchor}${thread}`,
      };
    },
  ),
};

export function author(context: ApiContext): Pick<Message, "user" | "bot_id" | "app_id"> {
  const { app } = context.workspace.config;
  return { user: app.botUserId, bot_id: app.botId, app_id: app.id };
}

/** The head of the thread that a `thread_ts` names: Slack also takes a reply's. */
export function threadOf(
  context: ApiContext,
  channelId: string,
  threadTs: string | undefined,
): string | undefined {
  if (threadTs === undefined || threadTs === "") return undefined;
  const message = context.workspace.message(channelId, threadTs);
  if (!message) throw new SlackApiError("thread_not_found");
  return message.thread_ts ?? message.ts;
}

/** Slack clears "is thinking…" as soon as the app says something. */
export function clearStatus(context: ApiContext, channelId: string, threadTs: string): void {
  const current = context.workspace.statuses.get(`${channelId}/${threadTs}`);
  if (!current || current.canStop) return;
  context.workspace.setStatus({ channel: channelId, threadTs, text: "", canStop: false });
}

type Content = z.output<z.ZodObject<typeof content>>;

function messageContent(args: Content): Pick<Message, "text"> & Partial<Message> {
  const { text, markdown_text, blocks, attachments, metadata } = args;
  if (markdown_text !== undefined && (text !== undefined || blocks !== undefined)) {
    throw new SlackApiError("markdown_text_conflict");
  }
  if (markdown_text !== undefined) {
    return {
      text: markdown_text,
      blocks: [{ type: "markdown", block_id: "md", text: markdown_text }],
      ...(metadata ? { metadata } : {}),
    };
  }
  if (!text && !blocks?.length && !attachments?.length) throw new SlackApiError("no_text");
  return {
    text: text ?? "",
    ...(blocks?.length ? { blocks } : {}),
    ...(attachments ? { attachments } : {}),
    ...(metadata ? { metadata } : {}),
  };
}
