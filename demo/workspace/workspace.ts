import type { WorkspaceConfig } from "./config.ts";
import { FileStore } from "./files.ts";
import { createTimestamps, slackId } from "./ids.ts";
import type { Channel, Message, SlackUserProfile, ThreadStatus, WorkspaceChange } from "./types.ts";

const MAX_EPHEMERALS = 500;

export type NewMessage = Omit<Message, "type" | "ts" | "team" | "parent_user_id"> & { ts?: string };

/**
 * The state of the workspace, in memory. The Web API (as the app) and the page (as a person) change it through
 * these methods; every change is told to the listeners in order, which make events and live views of it.
 */
export class Workspace {
  readonly config: WorkspaceConfig;
  readonly users = new Map<string, SlackUserProfile>();
  readonly channels = new Map<string, Channel>();
  readonly files: FileStore;
  readonly statuses = new Map<string, ThreadStatus>();
  readonly now: () => number;
  readonly nextTs: () => string;
  readonly #messages = new Map<string, Message[]>();
  /** Shown to one person and kept nowhere, but a button in one must still be known when it is clicked. */
  readonly #ephemerals = new Map<string, Message>();
  readonly #listeners = new Set<(change: WorkspaceChange) => void>();

  constructor(config: WorkspaceConfig, now: () => number) {
    this.config = config;
    this.now = now;
    this.nextTs = createTimestamps(now);
    this.files = new FileStore(config, now);
    for (const user of config.users) this.users.set(user.id, { ...user, isBot: false });
    const { app } = config;
    this.users.set(app.botUserId, {
      id: app.botUserId,
      name: app.botName,
      realName: app.name,
      isBot: true,
    });
    const humans = config.users.map((user) => user.id);
    for (const channel of config.channels) {
      const members = channel.withApp ? [...humans, app.botUserId] : humans;
      this.#addChannel(channel.id, channel.name, "channel", channel.topic ?? "", members);
    }
    for (const human of humans) this.openDirectMessage(human, app.botUserId);
  }

  onChange(listener: (change: WorkspaceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(change: WorkspaceChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Messages of a channel, oldest first, replies among them. */
  messages(channelId: string): readonly Message[] {
    return this.#messages.get(channelId) ?? [];
  }

  message(channelId: string, ts: string): Message | undefined {
    return this.messages(channelId).find((message) => message.ts === ts);
  }

  thread(channelId: string, threadTs: string): Message[] {
    return this.messages(channelId).filter(
      (message) => message.ts === threadTs || message.thread_ts === threadTs,
    );
  }

  /** By id, by `#name`, or by name. */
  findChannel(reference: string): Channel | undefined {
    const byId = this.channels.get(reference);
    if (byId) return byId;
    const name = reference.replace(/^#/, "");
    return [...this.channels.values()].find(
      (channel) => channel.kind === "channel" && channel.name === name,
    );
  }

  findUser(reference: string): SlackUserProfile | undefined {
    const name = reference.replace(/^@/, "");
    return this.users.get(reference) ?? [...this.users.values()].find((user) => user.name === name);
  }

  openDirectMessage(one: string, other: string): Channel {
    const found = [...this.channels.values()].find(
      (channel) => channel.kind === "im" && channel.members.has(one) && channel.members.has(other),
    );
    return found ?? this.#addChannel(slackId("D"), "", "im", "", [one, other]);
  }

  join(channel: Channel, user: string, inviter?: string): void {
    if (channel.members.has(user)) return;
    channel.members.add(user);
    this.emit({ kind: "channel_changed", channel: channel.id });
    this.emit({ kind: "member_joined", channel: channel.id, user, inviter });
  }

  post(channel: Channel, draft: NewMessage): Message {
    const message: Message = {
      ...draft,
      type: "message",
      team: this.config.team.id,
      ts: draft.ts ?? this.nextTs(),
    };
    const list = this.#messages.get(channel.id) ?? [];
    this.#messages.set(channel.id, list);
    const root = message.thread_ts ? this.message(channel.id, message.thread_ts) : undefined;
    if (root) message.parent_user_id = root.user;
    list.push(message);
    if (list.length > this.config.limits.messagesPerChannel) list.shift();
    this.emit({ kind: "message_posted", channel: channel.id, message });
    if (root) this.#countReplies(channel.id, root);
    return message;
  }

  /** Changes a message in place; what it was goes to the listeners. */
  change(channelId: string, message: Message, fields: Partial<Message>): void {
    const previous = structuredClone(message);
    Object.assign(message, fields);
    this.emit({ kind: "message_changed", channel: channelId, message, previous });
  }

  delete(channelId: string, message: Message): void {
    const list = this.#messages.get(channelId) ?? [];
    const hasReplies = (message.reply_count ?? 0) > 0;
    const previous = structuredClone(message);
    const deletedTs = this.nextTs();
    if (hasReplies) {
      // A thread keeps its head: https://docs.slack.dev/reference/events/message/message_deleted
      Object.assign(message, { subtype: "tombstone", text: "This message was deleted." });
      delete message.blocks;
      delete message.files;
      this.emit({ kind: "message_touched", channel: channelId, message });
    } else {
      const index = list.indexOf(message);
      if (index >= 0) list.splice(index, 1);
    }
    this.emit({ kind: "message_deleted", channel: channelId, previous, deletedTs });
    const root = message.thread_ts && this.message(channelId, message.thread_ts);
    if (root && root !== message) this.#countReplies(channelId, root);
  }

  postEphemeral(channel: Channel, toUser: string, draft: NewMessage): Message {
    const message: Message = {
      ...draft,
      type: "message",
      team: this.config.team.id,
      ts: this.nextTs(),
      is_ephemeral: true,
    };
    this.#ephemerals.set(`${channel.id}/${message.ts}`, message);
    if (this.#ephemerals.size > MAX_EPHEMERALS) {
      this.#ephemerals.delete(this.#ephemerals.keys().next().value ?? "");
    }
    this.emit({ kind: "ephemeral_posted", channel: channel.id, message, toUser });
    return message;
  }

  ephemeral(channelId: string, ts: string): Message | undefined {
    return this.#ephemerals.get(`${channelId}/${ts}`);
  }

  react(channelId: string, message: Message, user: string, name: string): boolean {
    const reactions = message.reactions ?? [];
    const reaction = reactions.find((candidate) => candidate.name === name);
    if (reaction?.users.includes(user)) return false;
    if (reaction) {
      reaction.users.push(user);
      reaction.count += 1;
    } else {
      message.reactions = [...reactions, { name, users: [user], count: 1 }];
    }
    this.emit({ kind: "reaction", added: true, channel: channelId, message, user, name });
    return true;
  }

  unreact(channelId: string, message: Message, user: string, name: string): boolean {
    const reaction = message.reactions?.find((candidate) => candidate.name === name);
    if (!reaction?.users.includes(user)) return false;
    reaction.users = reaction.users.filter((other) => other !== user);
    reaction.count = reaction.users.length;
    message.reactions = message.reactions?.filter((candidate) => candidate.count > 0);
    this.emit({ kind: "reaction", added: false, channel: channelId, message, user, name });
    return true;
  }

  setStatus(status: ThreadStatus): void {
    const key = `${status.channel}/${status.threadTs}`;
    const current = this.statuses.get(key);
    if (status.text === "" && !current) return;
    if (status.text === "") this.statuses.delete(key);
    else this.statuses.set(key, status);
    this.emit({ kind: "status", status });
  }

  #addChannel(
    id: string,
    name: string,
    kind: Channel["kind"],
    topic: string,
    members: string[],
  ): Channel {
    const channel: Channel = {
      id,
      name,
      kind,
      topic,
      createdSeconds: Math.floor(this.now() / 1_000),
      creator: members[0] ?? "",
      members: new Set(members),
    };
    this.channels.set(id, channel);
    this.emit({ kind: "channel_changed", channel: id });
    return channel;
  }

  #countReplies(channelId: string, root: Message): void {
    const replies = this.messages(channelId).filter(
      (message) => message.thread_ts === root.ts && message.ts !== root.ts,
    );
    const users = [...new Set(replies.map((message) => message.user))];
    root.thread_ts = root.ts;
    root.reply_count = replies.length;
    root.reply_users = users;
    root.reply_users_count = users.length;
    root.latest_reply = replies.at(-1)?.ts ?? root.ts;
    this.emit({ kind: "message_touched", channel: channelId, message: root });
  }
}
