import { mayHaveToken } from "./hosts.ts";
import { inlineCode } from "./mrkdwn.ts";
import { formatBytes } from "./quantities.ts";

/** A file of the message that asked. */
export interface Attachment {
  name: string;
  /** Bytes, as Slack says. */
  size: number;
  url: string;
}

export interface DownloadOptions {
  botToken: string;
  apiUrl: string;
  maxBytes: number;
  timeoutMs: number;
  signal: AbortSignal;
}

export type AttachmentErrorCode =
  | "TOO_LARGE"
  /** Slack shows a page to log in instead of the file. */
  | "NO_ACCESS"
  /** The file is kept somewhere else, and Slack only links to it. */
  | "NOT_AT_SLACK"
  | "UNAVAILABLE";

/** A file of the message could not be had. The message is mrkdwn, for the thread. */
export class AttachmentError extends Error {
  override readonly name = "AttachmentError";
  readonly code: AttachmentErrorCode;

  constructor(code: AttachmentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const MAX_REDIRECTS = 3;

/** The bytes of a file of a message. Throws `AttachmentError`, or the signal's reason when aborted. */
export async function downloadAttachment(
  attachment: Attachment,
  options: DownloadOptions,
): Promise<Uint8Array> {
  const name = inlineCode(attachment.name);
  if (attachment.size > options.maxBytes) throw tooLarge(name, options.maxBytes);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    const response = await get(name, attachment.url, options, signal);
    const bytes = await readBody(name, response, options.maxBytes);
    if (isLoginPage(response, bytes, attachment)) throw noAccess(name);
    return bytes;
  } catch (cause) {
    if (cause instanceof AttachmentError) throw cause;
    options.signal.throwIfAborted();
    const reason = signal.aborted ? `no answer in ${options.timeoutMs / 1000} s` : reasonOf(cause);
    throw new AttachmentError(
      "UNAVAILABLE",
      `Slack did not give me the file ${name} (${reason}).`,
      {
        cause,
      },
    );
  }
}

async function get(
  name: string,
  address: string,
  { apiUrl, botToken }: DownloadOptions,
  signal: AbortSignal,
): Promise<Response> {
  let url = new URL(address);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    if (!mayHaveToken(url, apiUrl)) throw notAtSlack(name, url);
    const headers = { authorization: `Bearer ${botToken}` };
    const response = await fetch(url, { headers, redirect: "manual", signal });
    if (response.status === 401 || response.status === 403) throw noAccess(name);
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || location === null) {
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return response;
    }
    await response.body?.cancel();
    url = new URL(location, url);
  }
  throw new Error("too many redirects");
}

/** The size that was announced may be wrong: what arrives is counted. */
async function readBody(name: string, response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(name, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** Without the scope `files:read` Slack answers 200 with its page to log in. */
function isLoginPage(response: Response, bytes: Uint8Array, attachment: Attachment): boolean {
  const isHtml = response.headers.get("content-type")?.startsWith("text/html") ?? false;
  return isHtml && bytes.length !== attachment.size;
}

function tooLarge(name: string, maxBytes: number): AttachmentError {
  const limit = formatBytes(maxBytes);
  return new AttachmentError("TOO_LARGE", `The file ${name} is larger than I take (${limit}).`);
}

function noAccess(name: string): AttachmentError {
  return new AttachmentError(
    "NO_ACCESS",
    `Slack would not give me the file ${name}: the app needs the scope \`files:read\`.`,
  );
}

function notAtSlack(name: string, url: URL): AttachmentError {
  return new AttachmentError(
    "NOT_AT_SLACK",
    `The file ${name} is not kept at Slack but at ${inlineCode(url.host)}, where I do not fetch files.`,
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : error.message;
}
