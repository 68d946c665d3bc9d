import type { webApi } from "@slack/bolt";
import type { AccessConfig, ExposeConfig } from "../config/index.ts";
import {
  DIRECT_MESSAGE_THREAD,
  type Log,
  QueueError,
  replyThreadTs,
  type ThreadRef,
  type Turn,
  type TurnAttachment,
  type TurnQueue,
  threadKey,
} from "../queue/index.ts";
import { refusal } from "./access.ts";
import { mentionedUsers, type Request, readCommand } from "./command.ts";
import { answerExpose, type ExposeRequest } from "./expose.ts";
import { helpMessage, rootMessage, type Shown } from "./help.ts";
import { filesOf, isWrittenByPerson, type SlackMessage, segmentsOf } from "./message.ts";
import { Names } from "./names.ts";
import { platformError } from "./slack-errors.ts";
import { parseText } from "./text.ts";

/** Who Mom is in this workspace. */
export interface Identity {
  teamId: string;
  botUserId: string;
}

export interface ConversationOptions {
  identity: Identity;
  queue: TurnQueue;
  client: webApi.WebClient;
  access: AccessConfig;
  /** Where ports of threads are reached; without, they cannot be exposed. */
  expose?: ExposeConfig | undefined;
  log: Log;
  now?: () => number;
}

export interface SlashCommand {
  text: string;
  userId: string;
  channelId: string;
}

const QUEUE_ANSWERS_WITHIN_MS = 1_000;
const QUEUE_AWAY =
  "I cannot take commands right now: my queue is away. Please try again in a minute.";

/**
 * What Mom does when somebody talks to her. Bolt stays outside: these methods take what was said and return
 * when it is in the queue; what Mom has to say herself goes out afterwards, so that nobody waits for it.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #names: Names;
  readonly #now: () => number;
  readonly #replies = new Set<Promise<void>>();

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#names = new Names(options.client);
    this.#now = options.now ?? Date.now;
  }

  /**
   * A message in a direct message, or one that mentions Mom. A mention arrives twice, as `message` and as
   * `app_mention`: the queue takes one of them. Throws `QueueError` `REDIS_UNREACHABLE` when the turn could
   * not be stored; the event must not be acknowledged then.
   */
  async onMessage(message: SlackMessage): Promise<void> {
    if (!isWrittenByPerson(message)) return;
    const { botUserId } = this.#options.identity;
    const isDirect = message.channel_type === "im" || message.channel.startsWith("D");
    const segments = segmentsOf(message);
    const isMentioned = segments.some(
      (segment) => segment.kind === "user" && segment.userId === botUserId,
    );
    // An unmentioned reply in a channel is people talking to each other.
    if (!isDirect && !isMentioned && message.type !== "app_mention") return;
    const thread = this.#threadOf(message, isDirect);
    const place: Place = { thread, userId: message.user };
    const refused = refusal(this.#options.access, {
      userId: message.user,
      channelId: message.channel,
    });
    if (refused) return this.#later(() => this.#hint(place, refused));
    const nameOf = await this.#names.lookUp(mentionedUsers(segments, botUserId));
    const request = readCommand(segments, { botUserId, needsMention: !isDirect, nameOf });
    const { attachments, snippet } = filesOf(message, request.kind !== "empty");
    if (request.kind === "empty" && (snippet || attachments.length > 0)) {
      // Files alone: run the snippet, or show that they have arrived.
      const run = snippet ?? { command: "ls -l", language: "bash" as const };
      return this.#submit(place, run, message.ts, attachments);
    }
    if (request.kind === "run") return this.#submit(place, request, message.ts, attachments);
    if (request.kind === "step") return this.#submit(place, asTurn(request), message.ts, []);
    return this.#answer(place, request);
  }

  /**
   * A slash command, which always starts a thread. Resolves to what the person is told in private, or to
   * `undefined` when the thread speaks for itself. Never throws.
   */
  async onSlashCommand({ text, userId, channelId }: SlashCommand): Promise<Shown | undefined> {
    const { access, queue, client, identity, log } = this.#options;
    const refused = refusal(access, { userId, channelId });
    if (refused) return said(refused);
    const { botUserId, teamId } = identity;
    const segments = parseText(text);
    const nameOf = await this.#names.lookUp(mentionedUsers(segments, botUserId));
    const request = readCommand(segments, { botUserId, needsMention: false, nameOf });
    if (request.kind === "empty" || request.kind === "help") return helpMessage(botUserId);
    if (request.kind === "unclear") return said(request.sentence);
    if (request.kind === "stop") {
      return said(
        `Slash commands do not know their thread: write <@${botUserId}> \`stop\` in the thread, or use its Stop button.`,
      );
    }
    if (request.kind !== "run") {
      const word = request.kind === "step" ? request.step : "expose";
      return said(
        `Slash commands do not know their thread: write <@${botUserId}> \`${word}\` in the thread.`,
      );
    }
    try {
      // Before anything is posted: a thread that starts with an apology helps nobody.
      await queue.ready(QUEUE_ANSWERS_WITHIN_MS);
      const root = await client.chat.postMessage({
        channel: channelId,
        ...rootMessage(userId, request.command),
        unfurl_links: false,
        unfurl_media: false,
      });
      if (!root.ts) throw new Error("Slack named no ts for a posted message");
      const thread = { teamId, channelId: root.channel ?? channelId, threadTs: root.ts };
      await this.#submitOrTakeBack(this.#turn({ thread, userId }, request, root.ts, []));
      return undefined;
    } catch (error) {
      if (error instanceof QueueError) return said(QUEUE_AWAY);
      const code = platformError(error);
      if (code === "not_in_channel" || code === "channel_not_found") {
        return said(
          `I am not in this conversation: invite me with \`/invite <@${botUserId}>\`, or write to me directly.`,
        );
      }
      log.error({ err: error }, "a slash command could not be carried out");
      return said(`Slack did not let me start a thread here${code ? ` (${code})` : ""}.`);
    }
  }

  /** The Stop button. Throws `QueueError`. */
  async onStopButton(thread: ThreadRef, userId: string): Promise<void> {
    const place: Place = { thread, userId };
    const refused = refusal(this.#options.access, { userId, channelId: thread.channelId });
    if (refused) return this.#later(() => this.#hint(place, refused));
    await this.#stop(place);
  }

  /** Wait for what Mom still has to say. */
  async settle(): Promise<void> {
    while (this.#replies.size > 0) await Promise.all(this.#replies);
  }

  #threadOf(message: SlackMessage, isDirect: boolean): ThreadRef {
    const start = isDirect ? DIRECT_MESSAGE_THREAD : message.ts;
    return {
      teamId: this.#options.identity.teamId,
      channelId: message.channel,
      threadTs: message.thread_ts ?? start,
    };
  }

  #turn(
    { thread, userId }: Place,
    { command, language, step }: Task,
    messageTs: string,
    attachments: TurnAttachment[],
  ): Turn {
    return {
      id: `${thread.teamId}-${thread.channelId}-${messageTs}`,
      thread,
      userId,
      messageTs,
      command,
      language,
      attachments,
      ...(step ? { step } : {}),
      receivedAtMs: this.#now(),
    };
  }

  async #submit(
    place: Place,
    request: Task,
    messageTs: string,
    attachments: TurnAttachment[],
  ): Promise<void> {
    try {
      await this.#options.queue.submit(this.#turn(place, request, messageTs, attachments));
    } catch (error) {
      if (!(error instanceof QueueError) || error.code !== "MAILBOX_FULL") throw error;
      this.#later(() => this.#hint(place, error.message));
    }
  }

  /** For a thread that Mom has just begun: without its turn it is taken away again. */
  async #submitOrTakeBack(turn: Turn): Promise<void> {
    const { queue, client } = this.#options;
    try {
      await queue.submit(turn);
    } catch (error) {
      const { channelId, threadTs } = turn.thread;
      this.#later(
        async () => void (await client.chat.delete({ channel: channelId, ts: threadTs })),
      );
      throw error;
    }
  }

  async #answer(place: Place, request: Exclude<Request, { kind: "run" | "step" }>): Promise<void> {
    switch (request.kind) {
      case "help":
      case "empty":
        return this.#later(() => this.#say(place, helpMessage(this.#options.identity.botUserId)));
      case "unclear":
        return this.#later(() => this.#hint(place, request.sentence));
      case "stop":
        return this.#stop(place);
      default:
        return this.#expose(place, request);
    }
  }

  async #expose(place: Place, request: ExposeRequest): Promise<void> {
    const { queue, expose, log } = this.#options;
    const { text, isForAll } = await answerExpose(request, place.thread, { queue, expose });
    const { userId: user, thread } = place;
    log.info({ user, thread: threadKey(thread), ...request }, "exposed ports");
    this.#later(() => (isForAll ? this.#say(place, said(text)) : this.#hint(place, text)));
  }

  /** The worker reports the end of a running turn; the rest is told here. */
  async #stop(place: Place): Promise<void> {
    const stopped = await this.#options.queue.stop(place.thread, place.userId);
    if (stopped === "nothing") this.#later(() => this.#hint(place, "Nothing is running here."));
    if (stopped === "queued") {
      const sentence = `<@${place.userId}> took back the command that was waiting here.`;
      this.#later(() => this.#say(place, said(sentence)));
    }
  }

  async #say({ thread }: Place, shown: Shown): Promise<void> {
    await this.#options.client.chat.postMessage({
      channel: thread.channelId,
      ...inThread(thread),
      ...shown,
      // Who previews an address opens it.
      unfurl_links: false,
      unfurl_media: false,
    });
  }

  /** For one person's eyes where others can read, as a message in a direct message. */
  async #hint(place: Place, sentence: string): Promise<void> {
    const { thread, userId } = place;
    if (thread.channelId.startsWith("D")) return this.#say(place, said(sentence));
    await this.#options.client.chat.postEphemeral({
      channel: thread.channelId,
      user: userId,
      ...inThread(thread),
      ...said(sentence),
    });
  }

  #later(reply: () => Promise<void>): void {
    const sent = reply()
      .catch((err: unknown) => this.#options.log.error({ err }, "Slack did not take a reply"))
      .finally(() => this.#replies.delete(sent));
    this.#replies.add(sent);
  }
}

/** What a turn is to do. */
type Task = Pick<Turn, "command" | "language" | "step">;

function asTurn({ step }: Request & { kind: "step" }): Task {
  return { command: step, language: "bash", step };
}

interface Place {
  thread: ThreadRef;
  userId: string;
}

function inThread(thread: ThreadRef): { thread_ts?: string } {
  const ts = replyThreadTs(thread);
  return ts ? { thread_ts: ts } : {};
}

function said(sentence: string): Shown {
  return {
    text: sentence,
    blocks: [{ type: "section", text: { type: "mrkdwn", text: sentence } }],
  };
}
