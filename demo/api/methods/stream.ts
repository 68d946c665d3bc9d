import { z } from "zod";
import { blocksSchema } from "../../workspace/blocks.ts";
import type { Block, Message } from "../../workspace/types.ts";
import {
  type ApiContext,
  type ApiMethods,
  channelOf,
  json,
  memberChannelOf,
  messageOf,
  method,
} from "../call.ts";
import { SlackApiError } from "../errors.ts";
import { author, clearStatus, threadOf } from "./chat.ts";

/** https://docs.slack.dev/reference/methods/chat.appendStream */
const MAX_MARKDOWN_CHARS = 12_000;
const MAX_STREAMED_CHARS = 40_000;

const chunk = z.discriminatedUnion("type", [
  z.object({ type: z.literal("markdown_text"), text: z.string() }),
  z.looseObject({
    type: z.literal("task_update"),
    id: z.string(),
    title: z.string(),
    status: z.enum(["pending", "in_progress", "complete", "error"]),
    details: z.string().optional(),
    output: z.string().optional(),
  }),
  z.looseObject({ type: z.literal("plan_update"), title: z.string() }),
  z.object({ type: z.literal("blocks"), blocks: blocksSchema }),
]);

const streamed = {
  markdown_text: z.string().max(MAX_MARKDOWN_CHARS).optional(),
  chunks: json(z.array(chunk)).optional(),
};
const target = { channel: z.string().default(""), ts: z.string().default("") };

type Streamed = z.output<z.ZodObject<typeof streamed>>;

export const streamMethods: ApiMethods = {
  "chat.startStream": method(
    "chat:write",
    z.object({
      channel: z.string().default(""),
      thread_ts: z.string().default(""),
      recipient_user_id: z.string().optional(),
      recipient_team_id: z.string().optional(),
      ...streamed,
    }),
    (context, args) => {
      const channel = memberChannelOf(context, args.channel);
      if (channel.kind === "channel") {
        if (!args.recipient_team_id) throw new SlackApiError("missing_recipient_team_id");
        if (!args.recipient_user_id) throw new SlackApiError("missing_recipient_user_id");
      }
      const threadTs = threadOf(context, channel.id, args.thread_ts);
      const message = context.workspace.post(channel, {
        ...author(context),
        ...(threadTs ? { thread_ts: threadTs } : {}),
        text: "",
        blocks: [],
        streaming_state: "in_progress",
      });
      append(context, channel.id, message, args);
      if (threadTs) clearStatus(context, channel.id, threadTs);
      return { channel: channel.id, ts: message.ts };
    },
  ),

  "chat.appendStream": method(
    "chat:write",
    z.object({ ...target, ...streamed }),
    (context, args) => {
      const { channel, message } = openStream(context, args);
      if (!args.markdown_text && !args.chunks?.length) throw new SlackApiError("no_text");
      append(context, channel.id, message, args);
      return { channel: channel.id, ts: message.ts };
    },
  ),

  "chat.stopStream": method(
    "chat:write",
    z.object({ ...target, ...streamed, blocks: json(blocksSchema).optional() }),
    (context, args) => {
      const { channel, message } = openStream(context, args);
      append(context, channel.id, message, args);
      const blocks = [...(message.blocks ?? []), ...(args.blocks ?? [])];
      context.workspace.change(channel.id, message, { streaming_state: "completed", blocks });
      return { channel: channel.id, ts: message.ts, message: structuredClone(message) };
    },
  ),
};

function openStream(context: ApiContext, args: { channel: string; ts: string }) {
  const channel = channelOf(context, args.channel);
  const message = messageOf(context, channel, args.ts);
  if (message.user !== context.workspace.config.app.botUserId) {
    throw new SlackApiError("message_not_owned_by_app");
  }
  if (message.streaming_state !== "in_progress") {
    throw new SlackApiError("message_not_in_streaming_state");
  }
  return { channel, message };
}

function append(context: ApiContext, channelId: string, message: Message, args: Streamed): void {
  const chunks = [...(args.chunks ?? [])];
  if (args.markdown_text) chunks.push({ type: "markdown_text", text: args.markdown_text });
  if (chunks.length === 0) return;
  let { text } = message;
  let blocks = [...(message.blocks ?? [])];
  for (const part of chunks) {
    if (part.type === "markdown_text") {
      text += part.text;
      blocks = withMarkdown(blocks, part.text);
    } else if (part.type === "blocks") {
      blocks.push(...part.blocks);
    } else {
      const key = part.type === "task_update" ? `task-${String(part.id)}` : "plan";
      const shown: Block = { ...part, block_id: key };
      const index = blocks.findIndex((candidate) => candidate.block_id === key);
      if (index >= 0) blocks[index] = shown;
      else blocks.push(shown);
    }
  }
  if (text.length > MAX_STREAMED_CHARS) throw new SlackApiError("msg_too_long");
  context.workspace.change(channelId, message, { text, blocks });
}

/** Running text goes on in the block it is in, as long as nothing else came between. */
function withMarkdown(blocks: Block[], text: string): Block[] {
  const last = blocks.at(-1);
  if (last?.type === "markdown") {
    return [...blocks.slice(0, -1), { ...last, text: `${String(last.text)}${text}` }];
  }
  return [...blocks, { type: "markdown", block_id: `md-${blocks.length}`, text }];
}
