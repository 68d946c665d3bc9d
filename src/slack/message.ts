import { z } from "zod";
import type { TurnAttachment, TurnLanguage } from "../queue/index.ts";
import { parseRichText } from "./rich-text.ts";
import type { Segment } from "./segments.ts";
import { parseText } from "./text.ts";

const fileSchema = z.object({
  id: z.string(),
  name: z.string().nullish(),
  size: z.number().nonnegative().default(0),
  mode: z.string().default("hosted"),
  filetype: z.string().default(""),
  url_private_download: z.string().optional(),
  url_private: z.string().optional(),
});
type SlackFile = z.output<typeof fileSchema>;

/** What Mom needs of a `message` or `app_mention` event. Source: https://docs.slack.dev/reference/events/message */
export const messageSchema = z.object({
  type: z.enum(["message", "app_mention"]),
  subtype: z.string().optional(),
  channel: z.string(),
  channel_type: z.string().optional(),
  user: z.string().optional(),
  bot_id: z.string().nullish(),
  text: z.string().nullish(),
  ts: z.string(),
  thread_ts: z.string().optional(),
  blocks: z.unknown().optional(),
  files: z.array(z.unknown()).optional(),
});
export type SlackMessage = z.output<typeof messageSchema>;

/** Messages that a person wrote just now; the others tell of edits, deletions, joins, … */
const WRITTEN = new Set([undefined, "file_share", "thread_broadcast", "me_message"]);

export function isWrittenByPerson(
  message: SlackMessage,
): message is SlackMessage & { user: string } {
  return WRITTEN.has(message.subtype) && !message.bot_id && message.user !== undefined;
}

export function segmentsOf(message: SlackMessage): Segment[] {
  return parseRichText(message.blocks) ?? parseText(message.text ?? "");
}

export interface MessageFiles {
  attachments: TurnAttachment[];
  /** A text snippet in a language that Mom runs, with the command that runs it. */
  snippet: { command: string; language: TurnLanguage } | undefined;
}

const SNIPPETS: Readonly<Record<string, { file: string; command: string }>> = {
  shell: { file: "snippet.sh", command: ". ./snippet.sh" },
  python: { file: "snippet.py", command: "python3 ./snippet.py" },
  javascript: { file: "snippet.js", command: "node ./snippet.js" },
};

/**
 * Files without an address are of another workspace, or deleted, and left out. Where the message has no
 * command of its own, its first snippet becomes one: a file with a name that needs no quotes, run where it is.
 */
export function filesOf(message: SlackMessage, hasCommand: boolean): MessageFiles {
  let snippet: MessageFiles["snippet"];
  const attachments: TurnAttachment[] = [];
  for (const file of (message.files ?? []).flatMap(
    (item) => fileSchema.safeParse(item).data ?? [],
  )) {
    const url = file.url_private_download ?? file.url_private;
    if (!url) continue;
    const runnable = hasCommand || snippet ? undefined : runnableSnippet(file);
    if (runnable) snippet = { command: runnable.command, language: "bash" };
    const name = runnable?.file ?? (file.name || file.id);
    attachments.push({ id: file.id, name, size: file.size, url });
  }
  return { attachments, snippet };
}

function runnableSnippet(file: SlackFile) {
  if (file.mode !== "snippet" || !Object.hasOwn(SNIPPETS, file.filetype)) return undefined;
  return SNIPPETS[file.filetype];
}
