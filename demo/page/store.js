/**
 * @import { Message, ThreadStatus } from "../workspace/types.ts"
 */
/** @typedef {{ id: string, name: string, kind: "channel" | "im", topic: string, members: string[] }} Channel */
/** @typedef {{ id: string, name: string, realName: string, isBot: boolean }} User */
/** @typedef {{ command: string, description: string, usageHint: string }} Command */
/**
 * @typedef {object} Snapshot
 * @property {string} me
 * @property {string[]} people
 * @property {{ name: string }} team
 * @property {{ userId: string, name: string, commands: Command[] }} app
 * @property {User[]} users
 * @property {Channel[]} channels
 * @property {Record<string, Message[]>} messages
 * @property {ThreadStatus[]} statuses
 */
/** @typedef {"everything" | { channel: string, message?: Message }} Change */

/** What the page knows of the workspace: a snapshot, kept up to date by server-sent events. */
export class Store {
  /** @type {Snapshot | undefined} */
  snapshot;
  /** Channel → messages not yet seen. @type {Map<string, number>} */
  unread = new Map();
  /** @type {Set<(change: Change) => void>} */
  #listeners = new Set();
  /** @type {(isConnected: boolean) => void} */
  #onConnection;
  #user;

  /** @param {string} user @param {(isConnected: boolean) => void} onConnection */
  constructor(user, onConnection) {
    this.#user = user;
    this.#onConnection = onConnection;
  }

  connect() {
    const events = new EventSource(`/_page/events?user=${encodeURIComponent(this.#user)}`);
    events.onopen = () => this.#onConnection(true);
    events.onerror = () => this.#onConnection(false);
    events.onmessage = (event) => this.#take(JSON.parse(event.data));
  }

  /** @param {(change: Change) => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** @returns {Snapshot} */
  get now() {
    if (!this.snapshot) throw new Error("The workspace has not been loaded.");
    return this.snapshot;
  }

  /** @param {string} id */
  user(id) {
    const slackbot = { id, name: "slackbot", realName: "Slackbot", isBot: true };
    return this.now.users.find((user) => user.id === id) ?? slackbot;
  }

  /** @param {string} id */
  channel(id) {
    return this.now.channels.find((channel) => channel.id === id);
  }

  /** The channel's name, or the other person's in a direct message. @param {Channel} channel */
  title(channel) {
    if (channel.kind === "channel") return channel.name;
    const other = channel.members.find((member) => member !== this.now.me);
    return this.user(other ?? this.now.me).realName;
  }

  /** @param {string} channelId */
  messages(channelId) {
    return this.now.messages[channelId] ?? [];
  }

  /** @param {string} channelId @param {string} threadTs */
  thread(channelId, threadTs) {
    return this.messages(channelId).filter(
      (message) => message.ts === threadTs || message.thread_ts === threadTs,
    );
  }

  /** @param {string} channelId @param {string} threadTs */
  status(channelId, threadTs) {
    return this.now.statuses.find(
      (status) => status.channel === channelId && status.threadTs === threadTs,
    );
  }

  /** @param {any} event */
  #take(event) {
    switch (event.type) {
      case "state":
        this.snapshot = event;
        return this.#tell("everything");
      case "message":
        this.#put(event.channel, event.message);
        return this.#tell({ channel: event.channel, message: event.message });
      case "deleted":
        this.now.messages[event.channel] = this.messages(event.channel).filter(
          (message) => message.ts !== event.ts,
        );
        return this.#tell({ channel: event.channel });
      case "channel": {
        const others = this.now.channels.filter((channel) => channel.id !== event.channel.id);
        this.now.channels = [...others, event.channel];
        return this.#tell("everything");
      }
      case "status": {
        const { status } = event;
        this.now.statuses = this.now.statuses.filter(
          (other) => other.channel !== status.channel || other.threadTs !== status.threadTs,
        );
        if (status.text !== "") this.now.statuses.push(status);
        return this.#tell({ channel: status.channel });
      }
    }
  }

  /** @param {string} channelId @param {Message} message */
  #put(channelId, message) {
    const list = this.messages(channelId);
    const index = list.findIndex((other) => other.ts === message.ts);
    if (index >= 0) list[index] = message;
    else {
      list.push(message);
      if (message.user !== this.now.me) {
        this.unread.set(channelId, (this.unread.get(channelId) ?? 0) + 1);
      }
    }
    this.now.messages[channelId] = list;
  }

  /** @param {Change} change */
  #tell(change) {
    for (const listener of this.#listeners) listener(change);
  }
}
