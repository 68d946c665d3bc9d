import type { TurnAttachment } from "../src/queue/index.ts";
import type { MachineApi } from "./machine/api.ts";
import { AttachmentError, type DownloadOptions, downloadAttachment } from "./slack/download.ts";
import { safeFileNames } from "./slack/file-name.ts";
import { inlineCode } from "./slack/mrkdwn.ts";

/**
 * Fetch the files of the message and put them into the shell's working directory, one after the other.
 * Throws `AttachmentError`, `MachineError`, or the signal's reason when aborted.
 */
export async function putAttachments(
  attachments: readonly TurnAttachment[],
  machine: MachineApi,
  options: DownloadOptions,
): Promise<void> {
  const names = safeFileNames(attachments.map(({ name }) => name));
  for (const [index, attachment] of attachments.entries()) {
    options.signal.throwIfAborted();
    const bytes = await downloadAttachment(attachment, options);
    const name = names[index] ?? attachment.id;
    try {
      await machine.writeFile(name, bytes);
    } catch (cause) {
      throw fileFailure(cause, name);
    }
  }
}

/** A full disk of the sandbox is the person's to solve; a machine that died is not. */
function fileFailure(cause: unknown, name: string): unknown {
  if (!(cause instanceof Error && "code" in cause && cause.code === "FILE_FAILED")) return cause;
  return new AttachmentError(
    "UNAVAILABLE",
    `The file ${inlineCode(name)} could not be put into the computer: ${cause.message}.`,
    { cause },
  );
}
