/**
 * The objects of a workspace, in the shapes that Slack's Web API and Events API send them.
 * Source: https://docs.slack.dev/reference/objects/
 */

export interface SlackUserProfile {
  id: string;
  /** Handle, as typed after `@`. */
  name: string;
  realName: string;
  isBot: boolean;
}

export interface Channel {
  id: string;
  /** Without `#`; empty for a direct message. */
  name: string;
  kind: "channel" | "im";
  topic: string;
  createdSeconds: number;
  creator: string;
  /** Users and bots in it. */
  members: Set<string>;
}

/** A Block Kit block: checked for its limits where it comes in, otherwise kept as it was sent. */
export interface Block {
  type: string;
  block_id?: string;
  [field: string]: unknown;
}

export interface Reaction {
  name: string;
  users: string[];
  count: number;
}

export interface MessageMetadata {
  event_type: string;
  event_payload: Record<string, unknown>;
}

export interface Message {
  type: "message";
  subtype?: string;
  user: string;
  text: string;
  ts: string;
  team: string;
  client_msg_id?: string;
  bot_id?: string;
  app_id?: string;
  blocks?: Block[];
  attachments?: Record<string, unknown>[];
  files?: FileObject[];
  metadata?: MessageMetadata;
  thread_ts?: string;
  parent_user_id?: string;
  edited?: { user: string; ts: string };
  reactions?: Reaction[];
  reply_count?: number;
  reply_users?: string[];
  reply_users_count?: number;
  latest_reply?: string;
  is_ephemeral?: true;
  streaming_state?: "in_progress" | "completed";
}

export interface FileObject {
  id: string;
  created: number;
  timestamp: number;
  name: string;
  title: string;
  mimetype: string;
  filetype: string;
  pretty_type: string;
  user: string;
  user_team: string;
  editable: boolean;
  size: number;
  mode: "hosted" | "snippet" | "tombstone";
  is_external: false;
  external_type: "";
  is_public: boolean;
  public_url_shared: false;
  display_as_bot: boolean;
  username: "";
  url_private: string;
  url_private_download: string;
  permalink: string;
  has_rich_preview: false;
  file_access: "visible";
  preview?: string;
}

/** What a thread shows below its last message while the app works. */
export interface ThreadStatus {
  channel: string;
  threadTs: string;
  /** Empty when cleared. */
  text: string;
  /** The agent session is processing, and the app has said it listens to the stop button. */
  canStop: boolean;
}

/** One change of the workspace; the app's events and the page's live view are both made from these. */
export type WorkspaceChange =
  | { kind: "message_posted"; channel: string; message: Message }
  | { kind: "message_changed"; channel: string; message: Message; previous: Message }
  | { kind: "message_deleted"; channel: string; previous: Message; deletedTs: string }
  /** Reply counts and the like: shown, but no event of its own for apps. */
  | { kind: "message_touched"; channel: string; message: Message }
  | { kind: "ephemeral_posted"; channel: string; message: Message; toUser: string }
  | { kind: "ephemeral_removed"; channel: string; ts: string; toUser: string }
  | {
      kind: "reaction";
      added: boolean;
      channel: string;
      message: Message;
      user: string;
      name: string;
    }
  | { kind: "member_joined"; channel: string; user: string; inviter: string | undefined }
  | { kind: "channel_changed"; channel: string }
  | { kind: "status"; status: ThreadStatus }
  | { kind: "session_stopped"; channel: string; threadTs: string; user: string; streams: string[] };
