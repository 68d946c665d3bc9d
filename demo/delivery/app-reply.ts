import { z } from "zod";
import { blocksSchema } from "../workspace/blocks.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { ResponseTarget } from "./response-urls.ts";

/** What an app answers a command or a click with, in its acknowledgement or through a response URL. */
const replySchema = z.object({
  text: z.string().max(40_000).default(""),
  blocks: blocksSchema.optional(),
  response_type: z.enum(["ephemeral", "in_channel"]).default("ephemeral"),
  replace_original: z.boolean().default(false),
  delete_original: z.boolean().default(false),
  thread_ts: z.string().optional(),
});

/** Shows the answer; `false` when it was not a message. An empty acknowledgement shows nothing. */
export function showAppReply(workspace: Workspace, target: ResponseTarget, body: unknown): boolean {
  if (body === undefined || body === "" || body === null) return true;
  const parsed = replySchema.safeParse(typeof body === "string" ? { text: body } : body);
  if (!parsed.success) return false;
  const reply = parsed.data;
  const channel = workspace.channels.get(target.channelId);
  if (!channel) return false;
  if (reply.delete_original || reply.replace_original)
    return changeOriginal(workspace, target, reply);
  if (reply.text === "" && !reply.blocks) return true;
  const { botUserId, botId, id: app_id } = workspace.config.app;
  const threadTs = reply.thread_ts ?? target.threadTs;
  const message = {
    user: botUserId,
    bot_id: botId,
    app_id,
    text: reply.text,
    ...(reply.blocks ? { blocks: reply.blocks } : {}),
    ...(threadTs ? { thread_ts: threadTs } : {}),
  };
  if (reply.response_type === "in_channel") workspace.post(channel, message);
  else workspace.postEphemeral(channel, target.userId, message);
  return true;
}

function changeOriginal(
  workspace: Workspace,
  target: ResponseTarget,
  reply: z.output<typeof replySchema>,
): boolean {
  const { channelId, messageTs, userId } = target;
  if (messageTs === undefined) return false;
  if (target.isEphemeral) {
    workspace.emit({
      kind: "ephemeral_removed",
      channel: channelId,
      ts: messageTs,
      toUser: userId,
    });
    if (reply.delete_original) return true;
    const again = { ...reply, replace_original: false, response_type: "ephemeral" };
    return showAppReply(workspace, target, again);
  }
  const message = workspace.message(channelId, messageTs);
  if (!message) return false;
  if (reply.delete_original) workspace.delete(channelId, message);
  else workspace.change(channelId, message, { text: reply.text, blocks: reply.blocks });
  return true;
}
