import { z } from "zod";
import { blocksSchema } from "../../workspace/blocks.ts";
import type { FileObject } from "../../workspace/types.ts";
import { type ApiMethods, json, memberChannelOf, method } from "../call.ts";
import { SlackApiError } from "../errors.ts";
import { author, threadOf } from "./chat.ts";

const completeSchema = z.object({
  files: json(z.array(z.object({ id: z.string(), title: z.string().optional() })).min(1)),
  channel_id: z.string().optional(),
  channels: z.string().optional(),
  thread_ts: z.string().optional(),
  initial_comment: z.string().optional(),
  blocks: json(blocksSchema).optional(),
});

/** https://docs.slack.dev/messaging/working-with-files#upload */
export const fileMethods: ApiMethods = {
  "files.getUploadURLExternal": method(
    "files:write",
    z.object({
      filename: z.string().min(1).max(1_024),
      // Slack takes no empty files.
      length: z.coerce.number().int().positive("must be greater than 0"),
      alt_txt: z.string().optional(),
      snippet_type: z.string().optional(),
    }),
    (context, args) => {
      const { workspace } = context;
      if (args.length > workspace.config.limits.fileBytes) {
        throw new SlackApiError("file_upload_size_restricted");
      }
      const { ticket, id } = workspace.files.open(args.filename, workspace.config.app.botUserId);
      return { upload_url: `${context.baseUrl}/upload/v1/${ticket}`, file_id: id };
    },
  ),

  "files.completeUploadExternal": method("files:write", completeSchema, (context, args) => {
    const { workspace } = context;
    const reference = args.channel_id ?? args.channels?.split(",")[0];
    const channel = reference ? memberChannelOf(context, reference) : undefined;
    const threadTs = channel && threadOf(context, channel.id, args.thread_ts);
    const files: FileObject[] = [];
    for (const { id, title } of args.files) {
      const file = workspace.files.complete(id, title) ?? workspace.files.get(id)?.object;
      if (!file) throw new SlackApiError("file_not_found");
      files.push(file);
    }
    if (channel) {
      for (const file of files) workspace.files.share(file.id, channel.id);
      workspace.post(channel, {
        ...author(context),
        subtype: "file_share",
        text: args.initial_comment ?? "",
        files,
        ...(args.blocks ? { blocks: args.blocks } : {}),
        ...(threadTs ? { thread_ts: threadTs } : {}),
      });
    }
    return { files: files.map((file) => structuredClone(file)) };
  }),

  "files.info": method(
    "files:read",
    z.object({ file: z.string().default("") }),
    (context, args) => {
      const stored = context.workspace.files.get(args.file);
      if (!stored) throw new SlackApiError("file_not_found");
      const shares = [...stored.channels];
      return { file: { ...structuredClone(stored.object), channels: shares }, comments: [] };
    },
  ),
};
