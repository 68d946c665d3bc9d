/**
 * A turn: one command of one thread, from the Slack message to the posted result.
 *
 * This is what the app writes into a thread's mailbox and a worker takes out: plain JSON, no secrets.
 */

/** Where a conversation with one sandbox takes place. */
export interface ThreadRef {
  /** Slack team (`T…`), or the enterprise where a shared channel has none. */
  teamId: string;
  /** Channel, direct message or group (`C…`, `D…`, `G…`). */
  channelId: string;
  /** `ts` of the thread's first message. */
  threadTs: string;
}

/** Language that a turn's command is written in. `bash` runs in the thread's resident shell. */
export type TurnLanguage = "bash" | "python" | "js";

/**
 * A step in the history of the thread itself, which takes its turn in the mailbox like a command:
 * - `undo`, `redo`: the thread's state goes one turn back, or on again.
 * - `reset`: the thread goes on from the base. It can be undone.
 * - `fork`: a new thread begins at this thread's state.
 * - `history`: the turns that can be undone and done again are shown.
 */
export const THREAD_STEPS = ["undo", "redo", "reset", "fork", "history"] as const;
export type ThreadStep = (typeof THREAD_STEPS)[number];

/** `userId` of a turn that was asked for on the command line. */
export const OPERATOR = "operator";

/** A file of the Slack message, to be put into the sandbox before the command starts. */
export interface TurnAttachment {
  /** Slack file id (`F…`). */
  id: string;
  /** File name as the person gave it: untrusted, the worker makes it safe. */
  name: string;
  /** Bytes, as Slack says. */
  size: number;
  /** Download address (`url_private_download`); needs the bot token, which the worker has. */
  url: string;
}

export interface Turn {
  /** Made from team, channel and `messageTs`, so that the same message delivered twice is one turn. */
  id: string;
  thread: ThreadRef;
  /** Who asked (`U…`). */
  userId: string;
  /** The message that asked, for reactions and for finding it again. */
  messageTs: string;
  /** What to run, with what Slack does to text undone. */
  command: string;
  language: TurnLanguage;
  attachments: TurnAttachment[];
  /** Nothing is run then. */
  step?: ThreadStep;
  /** When the app took the event, milliseconds since the epoch. */
  receivedAtMs: number;
}

/** One string for a thread: key of its mailbox, id of its drain job. No `:`, which BullMQ refuses in ids. */
export function threadKey(thread: ThreadRef): string {
  return `${thread.teamId}-${thread.channelId}-${thread.threadTs}`;
}

/**
 * `threadTs` of the messages at the top level of a direct message: they share one sandbox, so that a
 * conversation with Mom keeps its directory and variables like a terminal. A thread that somebody opens
 * there is a sandbox of its own.
 */
export const DIRECT_MESSAGE_THREAD = "dm";

/** `thread_ts` for a message to this thread; `undefined` where it goes to the top level of a direct message. */
export function replyThreadTs(thread: ThreadRef): string | undefined {
  return thread.threadTs === DIRECT_MESSAGE_THREAD ? undefined : thread.threadTs;
}

/** The thread of a `threadKey`, or `undefined` for any other text. */
export function parseThreadKey(key: string): ThreadRef | undefined {
  const [, teamId, channelId, threadTs] = /^([A-Z0-9]+)-([A-Z0-9]+)-(dm|\d+\.\d+)$/.exec(key) ?? [];
  if (!teamId || !channelId || !threadTs) return undefined;
  return { teamId, channelId, threadTs };
}
