import { MachineError } from "./machine/api.ts";
import { AttachmentError } from "./slack/download.ts";
import { escapeMrkdwn } from "./slack/mrkdwn.ts";
import { SnapshotError } from "./snapshots/store.ts";

/** What was going on when it went wrong. */
export type Stage = "preparing" | "running" | "saving";

const AS_BEFORE = "The thread is back as it was before this command.";
const EARLIER_STATE = "`undo` goes back to the state before, `reset` to a new computer.";

/**
 * What a person is told when a turn did not come to a result: what happened, and what holds now.
 * Mrkdwn. Errors that Mom does not know are its own mistakes: their text is for the log.
 */
export function failureSentence(error: unknown, stage: Stage): string {
  if (error instanceof AttachmentError) {
    return `${error.message} The command did not run.`;
  }
  if (error instanceof SnapshotError) {
    const detail = escapeMrkdwn(error.message);
    return stage === "preparing" ? `${detail} ${EARLIER_STATE}` : `${detail} ${AS_BEFORE}`;
  }
  if (error instanceof MachineError) return machineSentence(error, stage);
  return `Something went wrong inside Mom; its operator finds more in the log. ${AS_BEFORE}`;
}

function machineSentence(error: MachineError, stage: Stage): string {
  const detail = escapeMrkdwn(sentencePart(error.message));
  switch (error.code) {
    case "MACHINE_DIED":
    case "GUEST_DIED": {
      const when = {
        preparing: "before running",
        running: "while running",
        saving: "after running",
      };
      return `The computer crashed ${when[stage]} this (${detail}). ${AS_BEFORE}`;
    }
    case "START_FAILED":
      return `The computer did not start (${detail}). Try again in a minute.`;
    case "BAD_IMAGE":
      return `There is no usable image to start a computer from (${detail}). An operator has to build one: \`./mom image build\`.`;
    case "BAD_STATE":
      return `The saved computer of this thread cannot be used (${detail}). ${EARLIER_STATE}`;
    case "NO_SPACE":
    case "PUBLISH_FAILED":
    case "NO_WAY_IN":
      return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}. ${AS_BEFORE}`;
    case "NO_SUCH_FILE":
    case "FILE_FAILED":
      return `A file could not be put into the computer (${detail}). The command did not run.`;
  }
}

function sentencePart(message: string): string {
  return message.trim().replace(/\.$/, "");
}
