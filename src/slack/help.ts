import type { types } from "@slack/bolt";

export interface Shown {
  /** For notifications and clients without blocks. */
  text: string;
  blocks: types.KnownBlock[];
}

/** What Mom says about herself. */
export function helpMessage(botUserId: string): Shown {
  const mom = `<@${botUserId}>`;
  return {
    text: `I give every thread its own Linux computer. Write ${mom} and a command, and I run it.`,
    blocks: [
      { type: "header", text: { type: "plain_text", text: "A computer for every thread" } },
      section(
        `Write ${mom} and a command: I run it on a Linux computer that belongs to this thread alone, and answer here. ` +
          "Directory, variables, files and installed programs are still there at the next message.",
      ),
      { type: "divider" },
      section(
        [
          `• *Start:* \`/mom COMMAND\` opens a thread, and so does ${mom} \`COMMAND\` in a channel.`,
          `• *Go on:* ${mom} \`COMMAND\` in the thread. In a direct message every message is a command.`,
          "• *Longer code:* put it into a fenced block; a first line of `sh`, `python` or `js` names its language.",
          "• *Files in:* attach them to your message; they are in the working directory.",
          "• *Files out:* what a command leaves in `~/out`, or names with `attach FILE`, is posted here.",
          "• *More programs:* you are root: `apt update && apt install -y PACKAGE`, `pip install`, `npm install`.",
          `• *Stop:* the Stop button, or ${mom} \`stop\`, ends the running command; commands behind it go on.`,
          `• *Back and forth:* ${mom} \`undo\` takes the last command back, \`redo\` does it again, \`reset\` gives a new computer, \`history\` shows what there is.`,
          `• *Show it:* ${mom} \`expose 8000\` gives port 8000 of the computer a web address; \`expose\` lists them, \`expose 8000 off\` ends one.`,
          `• *Branch off:* ${mom} \`fork\` begins a new thread whose computer goes on from here.`,
        ].join("\n"),
      ),
      {
        type: "context",
        elements: [
          {
            type: "mrkdwn",
            text: "Try  `/mom python3 -c 'print(2**100)'`   ·   Commands of one thread run in order.",
          },
        ],
      },
    ],
  };
}

const SHOWN_COMMAND_LENGTH = 2_500;

/** The first message of a thread that a slash command starts: who asked for what. */
export function rootMessage(userId: string, command: string): Shown {
  const shown =
    command.length > SHOWN_COMMAND_LENGTH ? `${command.slice(0, SHOWN_COMMAND_LENGTH)}…` : command;
  const isBlock = shown.includes("\n");
  return {
    text: `<@${userId}>: ${escapeMrkdwn(shown)}`,
    blocks: [
      {
        type: "rich_text",
        elements: [
          {
            type: "rich_text_section",
            elements: [
              { type: "user", user_id: userId },
              { type: "text", text: ": " },
              ...(isBlock ? [] : [{ type: "text" as const, text: shown, style: { code: true } }]),
            ],
          },
          ...(isBlock
            ? [
                {
                  type: "rich_text_preformatted" as const,
                  elements: [{ type: "text" as const, text: shown }],
                },
              ]
            : []),
        ],
      },
    ],
  };
}

export function escapeMrkdwn(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function section(text: string): types.KnownBlock {
  return { type: "section", text: { type: "mrkdwn", text } };
}
