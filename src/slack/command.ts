import { THREAD_STEPS, type ThreadStep, type TurnLanguage } from "../queue/index.ts";
import type { Segment } from "./segments.ts";

/** What a message asks Mom to do. */
export type Request =
  | { kind: "run"; command: string; language: TurnLanguage }
  | { kind: "help" }
  | { kind: "stop" }
  /** Undo, redo, reset, fork, history: about the thread itself. */
  | { kind: "step"; step: ThreadStep }
  /** A port of the thread's computer is to be reached from outside, or no longer, or all that are are to be shown. */
  | { kind: "expose"; port: number }
  | { kind: "unexpose"; port: number }
  | { kind: "exposed" }
  /** Nothing to run, and a sentence that says what to write instead. */
  | { kind: "unclear"; sentence: string }
  /** Mom is addressed without a word. */
  | { kind: "empty" };

export interface CommandContext {
  /** A message that mentions the bot must begin with the mention; elsewhere there may be none. */
  botUserId: string;
  needsMention: boolean;
  /** What to put in place of somebody's mention in a command. */
  nameOf(userId: string): string;
}

/**
 * Find the command in a message. Fenced blocks count alone, where there are any; else all of the message
 * that follows the mention; inline code is taken literally.
 */
export function readCommand(segments: readonly Segment[], context: CommandContext): Request {
  const fences = segments.filter((segment) => segment.kind === "fence");
  if (fences.length > 0) return readFences(fences);
  const addressed = withoutMention(segments, context);
  if (!addressed) {
    return {
      kind: "unclear",
      sentence: `Start the message with <@${context.botUserId}> to have me run the rest of it.`,
    };
  }
  const command = commandText(addressed, context);
  switch (command.toLowerCase()) {
    case "":
      return { kind: "empty" };
    case "help":
      return { kind: "help" };
    case "stop":
      return { kind: "stop" };
  }
  const step = THREAD_STEPS.find((name) => name === command.toLowerCase());
  if (step) return { kind: "step", step };
  return readExpose(command) ?? { kind: "run", command, language: "bash" };
}

/** `expose`, `expose PORT`, `expose PORT off`, `unexpose PORT`. */
function readExpose(command: string): Request | undefined {
  const [, un, digits, off] = EXPOSE.exec(command) ?? [];
  if (un === undefined) return undefined;
  const port = Number(digits);
  if (digits && port >= 1 && port <= 65_535) {
    return { kind: un || off ? "unexpose" : "expose", port };
  }
  if (!digits && !un && !off) return { kind: "exposed" };
  const sentence = "Name a port from 1 to 65535: `expose 8000`, or `expose 8000 off`.";
  return { kind: "unclear", sentence };
}

const EXPOSE = /^(un|)expose(?:\s+(\d{1,9}))?(?:\s+(off))?$/i;

/** People named in a command, whose names are worth looking up. */
export function mentionedUsers(segments: readonly Segment[], botUserId: string): string[] {
  const ids = segments.flatMap((segment) => (segment.kind === "user" ? [segment.userId] : []));
  return [...new Set(ids)].filter((id) => id !== botUserId);
}

/** `undefined` when Mom is talked about, not to. */
function withoutMention(
  segments: readonly Segment[],
  { botUserId, needsMention }: CommandContext,
): readonly Segment[] | undefined {
  const start = segments.findIndex((segment) => segment.kind !== "text" || segment.text.trim());
  const first = segments[start];
  if (first?.kind === "user" && first.userId === botUserId) return segments.slice(start + 1);
  return needsMention ? undefined : segments;
}

function commandText(segments: readonly Segment[], { nameOf }: CommandContext): string {
  const [only, another] = segments.filter(
    (segment) => segment.kind !== "text" || segment.text.trim() !== "",
  );
  if (only?.kind === "code" && !another) return only.text.trim();
  return segments
    .map((segment) => {
      if (segment.kind === "user") return `@${nameOf(segment.userId)}`;
      // Backticks in the middle of a command are the shell's.
      if (segment.kind === "code") return `\`${segment.text}\``;
      return segment.text;
    })
    .join("")
    .trim();
}

type Fence = Segment & { kind: "fence" };

const LANGUAGES: Readonly<Record<string, TurnLanguage>> = {
  sh: "bash",
  bash: "bash",
  shell: "bash",
  zsh: "bash",
  text: "bash",
  plain: "bash",
  plain_text: "bash",
  py: "python",
  python: "python",
  python3: "python",
  js: "js",
  javascript: "js",
  node: "js",
  nodejs: "js",
};

const LANGUAGE_NAMES = "`sh`, `python` and `js`";

function readFences(fences: readonly Fence[]): Request {
  const blocks = fences.map(readFence);
  const unknown = blocks.find((block) => block.language === undefined);
  if (unknown) {
    return {
      kind: "unclear",
      sentence: `I run blocks of ${LANGUAGE_NAMES}; \`${unknown.name}\` is not one of them. Other languages run with a command, once they are installed.`,
    };
  }
  const languages = new Set(blocks.map((block) => block.language ?? "bash"));
  const [language, another] = languages;
  if (!language || another) {
    return {
      kind: "unclear",
      sentence: "These blocks are in different languages: send one message for each.",
    };
  }
  const command = blocks.map((block) => block.code).join("\n");
  return command.trim() === "" ? { kind: "empty" } : { kind: "run", command, language };
}

interface Block {
  code: string;
  name: string;
  language: TurnLanguage | undefined;
}

/** Slack keeps the word after the backticks as the first line of the block; newer clients name it apart. */
function readFence(fence: Fence): Block {
  if (fence.language) {
    const name = fence.language.toLowerCase();
    return { code: fence.text, name, language: own(name) };
  }
  const end = fence.text.indexOf("\n");
  const firstLine = fence.text.slice(0, Math.max(end, 0)).trim().toLowerCase();
  const language = own(firstLine);
  if (language) return { code: fence.text.slice(end + 1), name: firstLine, language };
  return { code: fence.text, name: "", language: "bash" };
}

function own(name: string): TurnLanguage | undefined {
  return Object.hasOwn(LANGUAGES, name) ? LANGUAGES[name] : undefined;
}
