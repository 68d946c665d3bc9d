import type { WorkspaceConfig } from "../workspace/config.ts";
import type { Message, WorkspaceChange } from "../workspace/types.ts";
import type { Workspace } from "../workspace/workspace.ts";

export interface SlackEvent {
  /** As named on the app's "Event Subscriptions" page. */
  subscription: string;
  event: Record<string, unknown>;
}

/** The events that a change of the workspace makes for the app. Source: https://docs.slack.dev/reference/events */
export function eventsOf(change: WorkspaceChange, workspace: Workspace): SlackEvent[] {
  switch (change.kind) {
    case "message_posted":
      return messagePosted(workspace, change.channel, change.message);
    case "message_changed":
      return messageEvent(workspace, change.channel, {
        type: "message",
        subtype: "message_changed",
        message: wireMessage(change.message),
        previous_message: wireMessage(change.previous),
        channel: change.channel,
        hidden: true,
        ts: workspace.nextTs(),
      });
    case "message_deleted":
      return messageEvent(workspace, change.channel, {
        type: "message",
        subtype: "message_deleted",
        previous_message: wireMessage(change.previous),
        channel: change.channel,
        hidden: true,
        deleted_ts: change.previous.ts,
        ts: change.deletedTs,
      });
    case "reaction": {
      if (!appIsIn(workspace, change.channel)) return [];
      const type = change.added ? "reaction_added" : "reaction_removed";
      const event = {
        type,
        user: change.user,
        reaction: change.name,
        item: { type: "message", channel: change.channel, ts: change.message.ts },
        item_user: change.message.user,
        event_ts: workspace.nextTs(),
      };
      return [{ subscription: type, event }];
    }
    case "member_joined": {
      const event = {
        type: "member_joined_channel",
        user: change.user,
        channel: change.channel,
        channel_type: "C",
        team: workspace.config.team.id,
        ...(change.inviter ? { inviter: change.inviter } : {}),
        event_ts: workspace.nextTs(),
      };
      return [{ subscription: "member_joined_channel", event }];
    }
    case "session_stopped": {
      const event = {
        type: "agent_session_stopped",
        channel: change.channel,
        thread_ts: change.threadTs,
        user: change.user,
        streaming_message_ts: change.streams,
        event_ts: workspace.nextTs(),
      };
      return [{ subscription: "agent_session_stopped", event }];
    }
    case "message_touched":
    case "ephemeral_posted":
    case "ephemeral_removed":
    case "channel_changed":
    case "status":
      return [];
  }
}

/** The outer object around an event: https://docs.slack.dev/apis/events-api/#callback-field */
export function eventBody(
  config: WorkspaceConfig,
  event: Record<string, unknown>,
  eventId: string,
  eventTimeSeconds: number,
): Record<string, unknown> {
  const { team, app } = config;
  return {
    token: app.verificationToken,
    team_id: team.id,
    context_team_id: team.id,
    context_enterprise_id: null,
    api_app_id: app.id,
    event,
    type: "event_callback",
    event_id: eventId,
    event_time: eventTimeSeconds,
    authorizations: [
      {
        enterprise_id: null,
        team_id: team.id,
        user_id: app.botUserId,
        is_bot: true,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel: false,
    event_context: `4-${Buffer.from(JSON.stringify({ et: event.type, aid: app.id })).toString("base64url")}`,
  };
}

/** A message as events and answers carry it; metadata only goes out where it was asked for. */
export function wireMessage(message: Message): Record<string, unknown> {
  const { metadata: _, ...rest } = message;
  return structuredClone(rest);
}

function messagePosted(workspace: Workspace, channelId: string, message: Message): SlackEvent[] {
  const wire = { ...wireMessage(message), channel: channelId };
  const events = messageEvent(workspace, channelId, wire, message.ts);
  const { botUserId } = workspace.config.app;
  const isMention = message.text.includes(`<@${botUserId}>`) && message.user !== botUserId;
  const inChannel = workspace.channels.get(channelId)?.kind === "channel";
  if (isMention && inChannel && appIsIn(workspace, channelId)) {
    const { subtype: _, ...rest } = wire as Record<string, unknown>;
    events.push({
      subscription: "app_mention",
      event: { ...rest, type: "app_mention", event_ts: message.ts },
    });
  }
  return events;
}

function messageEvent(
  workspace: Workspace,
  channelId: string,
  event: Record<string, unknown>,
  eventTs: string = String(event.ts),
): SlackEvent[] {
  if (!appIsIn(workspace, channelId)) return [];
  const kind = workspace.channels.get(channelId)?.kind ?? "channel";
  return [
    {
      subscription: kind === "im" ? "message.im" : "message.channels",
      event: { ...event, event_ts: eventTs, channel_type: kind },
    },
  ];
}

function appIsIn(workspace: Workspace, channelId: string): boolean {
  const { botUserId } = workspace.config.app;
  return workspace.channels.get(channelId)?.members.has(botUserId) ?? false;
}
