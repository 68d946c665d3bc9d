import type { WebClient } from "@slack/web-api";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { classify, persist, SlackStatusError } from "./call.ts";
import { safeFileNames } from "./file-name.ts";
import type { Place } from "./find-message.ts";
import { mayHaveToken } from "./hosts.ts";
import { inlineCode } from "./mrkdwn.ts";
import { formatBytes } from "./quantities.ts";

/** A file to put into a thread. It is read when its turn comes, so that one at a time is in memory. */
export interface Upload {
  name: string;
  size: number;
  read(): Promise<Uint8Array>;
}

export interface UploadLimits {
  maxFiles: number;
  maxFileBytes: number;
  maxTotalBytes: number;
}

export interface UploadOptions {
  client: WebClient;
  botToken: string;
  apiUrl: string;
  clock: Clock;
  log: Logger;
  place: Place;
  deadlineMs: number;
  giveUp: AbortSignal;
}

/** Which files go up, and a sentence for each kind of file that does not. */
export function chooseUploads(
  files: readonly Upload[],
  limits: UploadLimits,
): { chosen: Upload[]; notes: string[] } {
  const chosen: Upload[] = [];
  const empty: Upload[] = [];
  const tooLarge: Upload[] = [];
  const tooMany: Upload[] = [];
  let totalBytes = 0;
  for (const file of files) {
    if (file.size === 0) empty.push(file);
    else if (file.size > limits.maxFileBytes) tooLarge.push(file);
    else if (chosen.length === limits.maxFiles) tooMany.push(file);
    else if (totalBytes + file.size > limits.maxTotalBytes) tooLarge.push(file);
    else {
      chosen.push(file);
      totalBytes += file.size;
    }
  }
  const notes: string[] = [];
  if (empty.length > 0) notes.push(`Not attached, since Slack takes no empty file: ${list(empty)}`);
  if (tooLarge.length > 0) {
    const each = formatBytes(limits.maxFileBytes);
    const total = formatBytes(limits.maxTotalBytes);
    notes.push(`Not attached, too large (${each} a file, ${total} a turn): ${list(tooLarge)}`);
  }
  if (tooMany.length > 0) {
    notes.push(`Not attached, more than ${limits.maxFiles} files: ${list(tooMany)}`);
  }
  return { chosen, notes };
}

/** Put files into the thread, all in one message. Returns a note for each one that did not get there. */
export async function uploadFiles(
  files: readonly Upload[],
  options: UploadOptions,
): Promise<string[]> {
  const notes: string[] = [];
  const uploaded: { id: string; title: string }[] = [];
  const names = safeFileNames(files.map((file) => file.name));
  for (const [index, file] of files.entries()) {
    const title = names[index] ?? file.name;
    try {
      const bytes = await file.read();
      const id = await sendBytes(title, bytes, options);
      uploaded.push({ id, title });
    } catch (error) {
      if (options.giveUp.aborted) throw error;
      notes.push(`Not attached: ${inlineCode(file.name)} (${reasonOf(error)})`);
    }
  }
  const [first, ...rest] = uploaded;
  if (first) {
    try {
      await share([first, ...rest], options);
    } catch (error) {
      if (options.giveUp.aborted) throw error;
      notes.push(`The files could not be put into the thread (${reasonOf(error)}).`);
    }
  }
  return notes;
}

/** The first two of the three steps of https://docs.slack.dev/messaging/working-with-files#uploading_files. */
async function sendBytes(
  filename: string,
  bytes: Uint8Array,
  options: UploadOptions,
): Promise<string> {
  const { client, deadlineMs, clock, log, giveUp } = options;
  const persistence = { clock, log, deadlineMs, signal: giveUp };
  return persist(persistence, "upload a file", async () => {
    const ticket = await client.files.getUploadURLExternal({ filename, length: bytes.length });
    if (!ticket.upload_url || !ticket.file_id)
      throw new Error("Slack gave no address to upload to");
    await postBytes(new URL(ticket.upload_url), bytes, options);
    return ticket.file_id;
  });
}

async function postBytes(url: URL, bytes: Uint8Array, options: UploadOptions): Promise<void> {
  const headers: Record<string, string> = { "content-type": "application/octet-stream" };
  if (mayHaveToken(url, options.apiUrl)) headers.authorization = `Bearer ${options.botToken}`;
  const remainingMs = Math.max(1, options.deadlineMs - options.clock.now());
  const signal = AbortSignal.any([options.giveUp, AbortSignal.timeout(remainingMs)]);
  const body = new Uint8Array(bytes);
  const response = await fetch(url, { method: "POST", headers, body, redirect: "error", signal });
  await response.body?.cancel();
  if (response.status !== 200) throw new SlackStatusError(response.status);
}

async function share(
  files: [{ id: string; title: string }, ...{ id: string; title: string }[]],
  options: UploadOptions,
): Promise<void> {
  const { client, place, clock, log, deadlineMs, giveUp } = options;
  await persist({ clock, log, deadlineMs, signal: giveUp }, "share files", () =>
    client.files.completeUploadExternal({
      files,
      ...(place.threadTs
        ? { channel_id: place.channelId, thread_ts: place.threadTs }
        : { channel_id: place.channelId }),
    }),
  );
}

function reasonOf(error: unknown): string {
  const failure = classify(error);
  return failure.kind === "rate-limited" ? "too many calls" : failure.reason;
}

const NAMES_IN_NOTE = 5;

function list(files: readonly Upload[]): string {
  const names = files.slice(0, NAMES_IN_NOTE).map((file) => inlineCode(file.name.slice(0, 200)));
  const more = files.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
