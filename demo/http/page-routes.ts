import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";
import { z } from "zod";
import type { People } from "../people.ts";
import type { Channel, WorkspaceChange } from "../workspace/types.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { answerJson, answerText } from "./answer.ts";
import { readBody } from "./body.ts";

const PAGE_FOLDER = new URL("../page/", import.meta.url);
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";
const KEEP_ALIVE_MS = 15_000;
/** A tab that reads nothing is cut off, and asks for everything again when it comes back. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

const where = { user: z.string(), channel: z.string() };
const actions = {
  say: z.object({ ...where, text: z.string().default(""), thread_ts: z.string().optional() }),
  slash: z.object({ ...where, text: z.string() }),
  edit: z.object({ ...where, ts: z.string(), text: z.string() }),
  delete: z.object({ ...where, ts: z.string() }),
  react: z.object({ ...where, ts: z.string(), name: z.string().regex(/^[\w+'-]{1,50}$/) }),
  click: z.object({ ...where, ts: z.string(), block_id: z.string(), action_id: z.string() }),
  stop: z.object({ ...where, thread_ts: z.string() }),
};

/** The page's files, read once: what is not among them cannot be asked for. */
export async function readPage(): Promise<Map<string, { type: string; bytes: Buffer }>> {
  const page = new Map<string, { type: string; bytes: Buffer }>();
  for (const name of await readdir(PAGE_FOLDER)) {
    const type = TYPES[extname(name)];
    if (type) page.set(name, { type, bytes: await readFile(new URL(name, PAGE_FOLDER)) });
  }
  return page;
}

/** The web page and what it does for the person in front of it. */
export class PageRoutes {
  readonly #workspace: Workspace;
  readonly #people: People;
  readonly #files: Map<string, { type: string; bytes: Buffer }>;
  readonly #views = new Set<ServerResponse>();

  constructor(
    workspace: Workspace,
    people: People,
    files: Map<string, { type: string; bytes: Buffer }>,
  ) {
    this.#workspace = workspace;
    this.#people = people;
    this.#files = files;
  }

  sendAsset(name: string, response: ServerResponse, headers: Record<string, string> = {}): void {
    const asset = this.#files.get(name);
    if (!asset) {
      answerText(response, "not found", 404);
      return;
    }
    response.writeHead(200, {
      "Content-Type": asset.type,
      "Content-Security-Policy": PAGE_POLICY,
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-cache",
      ...headers,
    });
    response.end(asset.bytes);
  }

  /** Server-sent events: everything first, then each change. */
  sendEvents(userRef: string, response: ServerResponse): void {
    const workspace = this.#workspace;
    const user =
      workspace.findUser(userRef) ?? workspace.findUser(workspace.config.users[0]?.id ?? "");
    if (!user) {
      answerText(response, "no such user", 404);
      return;
    }
    response.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
    });
    const send = (value: unknown) => {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(`data: ${JSON.stringify(value)}\n\n`);
    };
    send(this.#state(user.id));
    const stop = workspace.onChange((change) => {
      const shown = this.#shown(change, user.id);
      if (shown) send(shown);
    });
    const keepAlive = setInterval(() => response.write(": still here\n\n"), KEEP_ALIVE_MS);
    this.#views.add(response);
    response.on("close", () => {
      clearInterval(keepAlive);
      stop();
      this.#views.delete(response);
    });
  }

  async act(action: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, this.#workspace.config.limits.fileBytes + 1024 * 1024);
    const people = this.#people;
    switch (action) {
      case "say": {
        const { user, channel, text, thread_ts } = actions.say.parse(body.fields);
        const message = people.say(user, channel, text, {
          ...(thread_ts ? { threadTs: thread_ts } : {}),
          files: body.files,
        });
        return answerJson(response, { ok: true, channel, ts: message.ts });
      }
      case "slash": {
        const { user, channel, text } = actions.slash.parse(body.fields);
        await people.slash(user, channel, text);
        break;
      }
      case "edit": {
        const { user, channel, ts, text } = actions.edit.parse(body.fields);
        people.edit(user, channel, ts, text);
        break;
      }
      case "delete": {
        const { user, channel, ts } = actions.delete.parse(body.fields);
        people.remove(user, channel, ts);
        break;
      }
      case "react": {
        const { user, channel, ts, name } = actions.react.parse(body.fields);
        people.react(user, channel, ts, name);
        break;
      }
      case "click": {
        const { user, channel, ts, block_id, action_id } = actions.click.parse(body.fields);
        const clicked = { ts, blockId: block_id, actionId: action_id };
        const ok = await people.click(user, channel, clicked);
        return answerJson(response, { ok });
      }
      case "stop": {
        const { user, channel, thread_ts } = actions.stop.parse(body.fields);
        people.stopSession(user, channel, thread_ts);
        break;
      }
      default:
        return answerJson(response, { ok: false, error: "not found" }, 404);
    }
    answerJson(response, { ok: true });
  }

  close(): void {
    for (const view of this.#views) view.destroy();
  }

  #state(userId: string): Record<string, unknown> {
    const workspace = this.#workspace;
    const channels = [...workspace.channels.values()].filter((channel) =>
      isVisible(channel, userId),
    );
    const { team, app, users } = workspace.config;
    return {
      type: "state",
      me: userId,
      people: users.map((user) => user.id),
      team,
      app: { userId: app.botUserId, name: app.name, commands: app.commands },
      users: [...workspace.users.values()],
      channels: channels.map(channelView),
      messages: Object.fromEntries(
        channels.map((channel) => [channel.id, workspace.messages(channel.id)]),
      ),
      statuses: [...workspace.statuses.values()],
    };
  }

  #shown(change: WorkspaceChange, userId: string): Record<string, unknown> | undefined {
    const channelId = change.kind === "status" ? change.status.channel : change.channel;
    const channel = this.#workspace.channels.get(channelId);
    if (!channel || !isVisible(channel, userId)) return undefined;
    switch (change.kind) {
      case "message_posted":
      case "message_changed":
      case "message_touched":
      case "reaction":
        return { type: "message", channel: channelId, message: change.message };
      case "message_deleted":
        return { type: "deleted", channel: channelId, ts: change.previous.ts };
      case "ephemeral_posted":
        if (change.toUser !== userId) return undefined;
        return { type: "message", channel: channelId, message: change.message };
      case "ephemeral_removed":
        if (change.toUser !== userId) return undefined;
        return { type: "deleted", channel: channelId, ts: change.ts };
      case "channel_changed":
      case "member_joined":
        return { type: "channel", channel: channelView(channel) };
      case "status":
        return { type: "status", status: change.status };
      case "session_stopped":
        return undefined;
    }
  }
}

function channelView(channel: Channel): Record<string, unknown> {
  return { ...channel, members: [...channel.members] };
}

function isVisible(channel: Channel, userId: string): boolean {
  return channel.kind === "channel" || channel.members.has(userId);
}
