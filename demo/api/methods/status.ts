import { z } from "zod";
import { type ApiMethods, json, memberChannelOf, method } from "../call.ts";
import { threadOf } from "./chat.ts";

const MAX_STATUS_CHARS = 200;

/** The line below a thread that says what the app is doing. */
export const statusMethods: ApiMethods = {
  "assistant.threads.setStatus": method(
    "assistant:write",
    z.object({
      channel_id: z.string().default(""),
      thread_ts: z.string().default(""),
      status: z.string().max(MAX_STATUS_CHARS),
      loading_messages: json(z.array(z.string()).max(10)).optional(),
    }),
    (context, args) => {
      const channel = memberChannelOf(context, args.channel_id);
      const threadTs = threadOf(context, channel.id, args.thread_ts) ?? "";
      context.workspace.setStatus({
        channel: channel.id,
        threadTs,
        text: args.status,
        canStop: false,
      });
      return {};
    },
  ),

  /** https://docs.slack.dev/reference/methods/agents.sessions.setStatus */
  "agents.sessions.setStatus": method(
    "assistant:write",
    z.object({
      channel: z.string().optional(),
      channel_id: z.string().optional(),
      thread_ts: z.string().default(""),
      status: z.enum(["active", "processing", "suspended", "closed"]),
    }),
    (context, args) => {
      const channel = memberChannelOf(context, args.channel ?? args.channel_id ?? "");
      const threadTs = threadOf(context, channel.id, args.thread_ts) ?? "";
      const listens = context.workspace.config.app.events.includes("agent_session_stopped");
      const isProcessing = args.status === "processing";
      context.workspace.setStatus({
        channel: channel.id,
        threadTs,
        text: isProcessing ? "is working…" : "",
        canStop: isProcessing && listens,
      });
      return listens
        ? {}
        : {
            response_metadata: {
              warnings: ["missing_agent_session_stopped_event_subscription"],
            },
          };
    },
  ),
};
