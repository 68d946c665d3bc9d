import { showAppReply } from "./delivery/app-reply.ts";
import type { Delivery } from "./delivery/delivery.ts";
import { wireMessage } from "./delivery/event-payloads.ts";
import type { ResponseUrls } from "./delivery/response-urls.ts";
import { clientMessageId } from "./workspace/ids.ts";
import {
  smartenPunctuation,
  type TypedMessage,
  typeCommandText,
  typeMessage,
} from "./workspace/typed-text.ts";
import type { Channel, Message, SlackUserProfile } from "./workspace/types.ts";
import type { Workspace } from "./workspace/workspace.ts";

export interface AttachedFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface SayOptions {
  threadTs?: string;
  files?: AttachedFile[];
  /** The client's curly quotes; as the workspace is configured, without. */
  smartPunctuation?: boolean;
}

export interface ClickedAction {
  ts: string;
  blockId: string;
  actionId: string;
}

export class PersonError extends Error {
  override readonly name = "PersonError";
  readonly code:
    | "NO_SUCH_USER"
    | "NO_SUCH_CHANNEL"
    | "NO_SUCH_MESSAGE"
    | "NOT_YOURS"
    | "EMPTY"
    | "TOO_LONG";

  constructor(code: PersonError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_TYPED_CHARS = 40_000;

/** What people do in a Slack client: type, edit, react, click, run commands. */
export class People {
  readonly #workspace: Workspace;
  readonly #delivery: Delivery;
  readonly #responseUrls: ResponseUrls;

  constructor(workspace: Workspace, delivery: Delivery, responseUrls: ResponseUrls) {
    this.#workspace = workspace;
    this.#delivery = delivery;
    this.#responseUrls = responseUrls;
  }

  say(userId: string, channelRef: string, typed: string, options: SayOptions = {}): Message {
    const user = this.#user(userId);
    const channel = this.#channel(channelRef);
    const attached = options.files ?? [];
    if (typed.trim() === "" && attached.length === 0) {
      throw new PersonError("EMPTY", "There is nothing to send: type a message or attach a file.");
    }
    const { text, blocks } = this.#type(typed, options.smartPunctuation);
    const files = attached.map((file) => {
      const object = this.#workspace.files.add({ ...file, user: user.id });
      this.#workspace.files.share(object.id, channel.id);
      return object;
    });
    return this.#workspace.post(channel, {
      ...(files.length > 0 ? { subtype: "file_share", files } : {}),
      user: user.id,
      text,
      client_msg_id: clientMessageId(),
      ...(blocks.length > 0 ? { blocks } : {}),
      ...(options.threadTs ? { thread_ts: options.threadTs } : {}),
    });
  }

  edit(userId: string, channelRef: string, ts: string, typed: string): Message {
    const { channel, message } = this.#own(userId, channelRef, ts);
    const edited = { user: userId, ts: this.#workspace.nextTs() };
    this.#workspace.change(channel.id, message, { ...this.#type(typed), edited });
    return message;
  }

  remove(userId: string, channelRef: string, ts: string): void {
    const { channel, message } = this.#own(userId, channelRef, ts);
    this.#workspace.delete(channel.id, message);
  }

  react(userId: string, channelRef: string, ts: string, name: string): void {
    const { channel, message } = this.#message(channelRef, ts);
    if (!this.#workspace.react(channel.id, message, userId, name)) {
      this.#workspace.unreact(channel.id, message, userId, name);
    }
  }

  /** A slash command. What goes wrong is shown to the person alone, as Slackbot would. */
  async slash(userId: string, channelRef: string, typed: string): Promise<void> {
    const user = this.#user(userId);
    const channel = this.#channel(channelRef);
    const [, command = "", argument = ""] = /^(\S+)\s*([\s\S]*)$/.exec(typed.trim()) ?? [];
    const { config } = this.#workspace;
    if (command === "/invite") return this.#invite(user, channel, argument);
    const known = config.app.commands.find((candidate) => candidate.command === command);
    if (!known) {
      return this.#slackbot(channel, user, `${command} is not a valid command.`);
    }
    const target = {
      channelId: channel.id,
      userId: user.id,
      messageTs: undefined,
      isEphemeral: false,
      threadTs: undefined,
    };
    const smart = config.smartPunctuation ? smartenPunctuation(argument) : argument;
    const result = await this.#delivery.ask("slash_commands", command, {
      token: config.app.verificationToken,
      team_id: config.team.id,
      team_domain: config.team.domain,
      channel_id: channel.id,
      channel_name: channel.kind === "im" ? "directmessage" : channel.name,
      user_id: user.id,
      user_name: user.name,
      command,
      text: typeCommandText(smart, this.#directory(), known.shouldEscape ?? false),
      api_app_id: config.app.id,
      is_enterprise_install: "false",
      ...this.#responseUrls.issue(target),
    });
    if (result.acked) {
      if (showAppReply(this.#workspace, target, result.body)) return;
      return this.#slackbot(channel, user, `${command} failed with the error "invalid_response"`);
    }
    const timedOut = result.reason === "timeout" || result.reason === "http_timeout";
    const error = timedOut ? "operation_timeout" : "dispatch_failed";
    this.#slackbot(channel, user, `${command} failed with the error "${error}"`);
  }

  /** A click on a button of a message. */
  async click(userId: string, channelRef: string, clicked: ClickedAction): Promise<boolean> {
    const user = this.#user(userId);
    const channel = this.#channel(channelRef);
    const message =
      this.#workspace.message(channel.id, clicked.ts) ??
      this.#workspace.ephemeral(channel.id, clicked.ts);
    const element = message && findAction(message, clicked.blockId, clicked.actionId);
    if (!element) throw new PersonError("NO_SUCH_MESSAGE", "There is no such button any more.");
    const { team, app } = this.#workspace.config;
    const isEphemeral = message.is_ephemeral === true;
    const threadTs = message.thread_ts;
    const result = await this.#delivery.ask("interactive", clicked.actionId, {
      type: "block_actions",
      user: { id: user.id, username: user.name, name: user.name, team_id: team.id },
      api_app_id: app.id,
      token: app.verificationToken,
      container: {
        type: "message",
        message_ts: message.ts,
        channel_id: channel.id,
        is_ephemeral: isEphemeral,
        ...(threadTs ? { thread_ts: threadTs } : {}),
      },
      team: { id: team.id, domain: team.domain },
      enterprise: null,
      is_enterprise_install: false,
      channel: { id: channel.id, name: channel.kind === "im" ? "directmessage" : channel.name },
      ...(isEphemeral ? {} : { message: wireMessage(message) }),
      state: { values: {} },
      ...this.#responseUrls.issue({
        channelId: channel.id,
        userId: user.id,
        messageTs: message.ts,
        isEphemeral,
        threadTs,
      }),
      actions: [
        {
          action_id: clicked.actionId,
          block_id: clicked.blockId,
          type: element.type,
          ...(element.text === undefined ? {} : { text: element.text }),
          ...(element.value === undefined ? {} : { value: element.value }),
          ...(element.style === undefined ? {} : { style: element.style }),
          action_ts: this.#workspace.nextTs(),
        },
      ],
    });
    return result.acked;
  }

  /** The client's own stop button, shown while an agent session is processing. */
  stopSession(userId: string, channelRef: string, threadTs: string): void {
    const channel = this.#channel(channelRef);
    const streams = this.#workspace
      .thread(channel.id, threadTs)
      .filter((message) => message.streaming_state === "in_progress");
    for (const message of streams) message.streaming_state = "completed";
    this.#workspace.emit({
      kind: "session_stopped",
      channel: channel.id,
      threadTs,
      user: this.#user(userId).id,
      streams: streams.map((message) => message.ts),
    });
  }

  #invite(user: SlackUserProfile, channel: Channel, argument: string): void {
    const invited = this.#workspace.findUser(argument.trim());
    if (!invited || channel.kind !== "channel") {
      this.#slackbot(channel, user, `There is nobody called ${argument.trim()} here.`);
    } else {
      this.#workspace.join(channel, invited.id, user.id);
    }
  }

  #slackbot(channel: Channel, user: SlackUserProfile, text: string): void {
    this.#workspace.postEphemeral(channel, user.id, { user: "USLACKBOT", text });
  }

  #type(typed: string, smart = this.#workspace.config.smartPunctuation): TypedMessage {
    if (typed.length > MAX_TYPED_CHARS) {
      throw new PersonError("TOO_LONG", `A message holds ${MAX_TYPED_CHARS} characters at most.`);
    }
    return typeMessage(smart ? smartenPunctuation(typed) : typed, this.#directory());
  }

  #directory() {
    const workspace = this.#workspace;
    return {
      userId: (name: string) => workspace.findUser(name.toLowerCase())?.id,
      channelId: (name: string) => workspace.findChannel(`#${name.toLowerCase()}`)?.id,
    };
  }

  #user(userId: string): SlackUserProfile {
    const user = this.#workspace.findUser(userId);
    if (!user) throw new PersonError("NO_SUCH_USER", `There is no user ${userId}.`);
    return user;
  }

  #channel(reference: string): Channel {
    const channel = this.#workspace.findChannel(reference);
    if (!channel) throw new PersonError("NO_SUCH_CHANNEL", `There is no channel ${reference}.`);
    return channel;
  }

  #message(channelRef: string, ts: string): { channel: Channel; message: Message } {
    const channel = this.#channel(channelRef);
    const message = this.#workspace.message(channel.id, ts);
    if (!message) throw new PersonError("NO_SUCH_MESSAGE", `There is no message ${ts}.`);
    return { channel, message };
  }

  #own(userId: string, channelRef: string, ts: string) {
    const found = this.#message(channelRef, ts);
    if (found.message.user !== userId) {
      throw new PersonError("NOT_YOURS", "Only one's own messages can be changed.");
    }
    return found;
  }
}

/** A button by its ids, in an `actions` block or as a section's accessory. */
function findAction(
  message: Message,
  blockId: string,
  actionId: string,
): Record<string, unknown> | undefined {
  const block = message.blocks?.find((candidate) => candidate.block_id === blockId);
  const elements = [
    ...(Array.isArray(block?.elements) ? block.elements : []),
    ...(block?.accessory === undefined ? [] : [block.accessory]),
  ] as Record<string, unknown>[];
  return elements.find((element) => element.action_id === actionId);
}
