import { z } from "zod";
import type { SlackUserProfile } from "../../workspace/types.ts";
import { type ApiContext, type ApiMethods, count, method } from "../call.ts";
import { SlackApiError } from "../errors.ts";

/** Who and where: the app itself, the team, its people. */
export const workspaceMethods: ApiMethods = {
  "auth.test": method(undefined, z.object({}), (context) => {
    const { team, app } = context.workspace.config;
    return {
      url: `${context.baseUrl}/`,
      team: team.name,
      user: app.botName,
      team_id: team.id,
      user_id: app.botUserId,
      bot_id: app.botId,
      is_enterprise_install: false,
    };
  }),

  "apps.connections.open": {
    token: "app",
    run: (context) => {
      const ticket = context.socket.issueTicket();
      if (!ticket) throw new SlackApiError("too_many_websockets");
      const url = new URL("/link/", context.baseUrl.replace(/^http/, "ws"));
      url.searchParams.set("ticket", ticket);
      url.searchParams.set("app_id", context.workspace.config.app.id);
      return { url: url.href };
    },
  },

  "bots.info": method("users:read", z.object({ bot: z.string().optional() }), (context, args) => {
    const { app } = context.workspace.config;
    if (args.bot && args.bot !== app.botId) throw new SlackApiError("bot_not_found");
    const bot = { id: app.botId, deleted: false, name: app.name, app_id: app.id };
    return { bot: { ...bot, user_id: app.botUserId, icons: {} } };
  }),

  "team.info": method("team:read", z.object({}), (context) => {
    const { team } = context.workspace.config;
    return { team: { ...team, url: `${context.baseUrl}/`, email_domain: "", icon: {} } };
  }),

  "users.info": method(
    "users:read",
    z.object({ user: z.string().default("") }),
    (context, args) => {
      const user = context.workspace.users.get(args.user);
      if (!user) throw new SlackApiError("user_not_found");
      return { user: userObject(context, user) };
    },
  ),

  "users.list": method("users:read", z.object({ limit: count(200, 1_000) }), (context, args) => ({
    members: [...context.workspace.users.values()]
      .slice(0, args.limit)
      .map((user) => userObject(context, user)),
    response_metadata: { next_cursor: "" },
  })),
};

function userObject(context: ApiContext, user: SlackUserProfile): Record<string, unknown> {
  const { team, app } = context.workspace.config;
  return {
    id: user.id,
    team_id: team.id,
    name: user.name,
    deleted: false,
    real_name: user.realName,
    tz: "Etc/UTC",
    tz_label: "Coordinated Universal Time",
    tz_offset: 0,
    profile: {
      real_name: user.realName,
      real_name_normalized: user.realName,
      display_name: user.name,
      display_name_normalized: user.name,
      team: team.id,
      ...(user.isBot ? { api_app_id: app.id, bot_id: app.botId } : {}),
    },
    is_admin: !user.isBot,
    is_owner: !user.isBot,
    is_restricted: false,
    is_ultra_restricted: false,
    is_bot: user.isBot,
    is_app_user: false,
    updated: Math.floor(context.workspace.now() / 1_000),
  };
}
