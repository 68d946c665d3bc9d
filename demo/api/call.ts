import { z } from "zod";
import type { Delivery } from "../delivery/delivery.ts";
import type { SocketMode } from "../delivery/socket-mode.ts";
import type { Channel, Message } from "../workspace/types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { SlackApiError } from "./errors.ts";

/** What a method works on. */
export interface ApiContext {
  workspace: Workspace;
  socket: SocketMode;
  delivery: Delivery;
  /** `http://127.0.0.1:PORT`. */
  baseUrl: string;
}

export type Arguments = Record<string, unknown>;

export interface ApiMethod {
  /** Scope that the bot token must have. */
  scope?: string;
  /** Which token the method takes; a bot's without. */
  token?: "app" | "bot";
  run(context: ApiContext, args: Arguments): Record<string, unknown>;
}

export type ApiMethods = Record<string, ApiMethod>;

/** A method with its arguments parsed; the answer gets `ok: true`. */
export function method<S extends z.ZodType>(
  scope: string | undefined,
  schema: S,
  run: (context: ApiContext, args: z.output<S>) => Record<string, unknown>,
): ApiMethod {
  return {
    ...(scope ? { scope } : {}),
    run: (context, args) => run(context, parseArguments(schema, args)),
  };
}

/** Slack names what is wrong in `response_metadata.messages`. */
export function parseArguments<S extends z.ZodType>(schema: S, args: Arguments): z.output<S> {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  const messages = parsed.error.issues.map(
    (issue) => `[ERROR] ${issue.message} [json-pointer:/${issue.path.join("/")}]`,
  );
  const areBlocks = parsed.error.issues.every((issue) => issue.path[0] === "blocks");
  throw new SlackApiError(areBlocks ? "invalid_blocks" : "invalid_arguments", {
    response_metadata: { messages },
  });
}

/** Forms carry nested fields as JSON; JSON bodies carry them as they are. */
export function json<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => {
    if (typeof value !== "string") return value;
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  }, schema);
}

export const flag = z
  .preprocess(
    (value) => value === true || value === "true" || value === "1" || value === 1,
    z.boolean(),
  )
  .default(false);

export const count = (fallback: number, max: number) =>
  z.coerce.number().int().min(1).max(max).default(fallback);

/** A channel the bot may see. A user's id stands for the direct message with them. */
export function channelOf(context: ApiContext, reference: string): Channel {
  const { workspace } = context;
  const { botUserId } = workspace.config.app;
  const user = workspace.users.get(reference);
  if (user && user.id !== botUserId) return workspace.openDirectMessage(user.id, botUserId);
  const channel = workspace.findChannel(reference);
  if (!channel || (channel.kind === "im" && !channel.members.has(botUserId))) {
    throw new SlackApiError("channel_not_found");
  }
  return channel;
}

export function memberChannelOf(context: ApiContext, reference: string): Channel {
  const channel = channelOf(context, reference);
  if (!channel.members.has(context.workspace.config.app.botUserId)) {
    throw new SlackApiError("not_in_channel");
  }
  return channel;
}

export function messageOf(context: ApiContext, channel: Channel, ts: string): Message {
  const message = context.workspace.message(channel.id, ts);
  if (!message) throw new SlackApiError("message_not_found");
  return message;
}
