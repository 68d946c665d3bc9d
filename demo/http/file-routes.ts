import type { IncomingMessage, ServerResponse } from "node:http";
import type { Workspace } from "../workspace/workspace.ts";
import { answerText, redirect } from "./answer.ts";
import { BodyTooLargeError, readBody, readBytes } from "./body.ts";

/** Shown in the page; everything else is only ever saved, so that no file runs as a page of this origin. */
const INLINE_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** `POST /upload/v1/TICKET`: the bytes of an upload, as a multipart form or as they are. */
export async function receiveUpload(
  workspace: Workspace,
  ticket: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const maxBytes = workspace.config.limits.fileBytes;
  try {
    const isForm = request.headers["content-type"]?.startsWith("multipart/form-data");
    const bytes = isForm
      ? (await readBody(request, maxBytes + 64 * 1024)).files[0]?.bytes
      : await readBytes(request, maxBytes);
    if (!bytes || !workspace.files.receive(ticket, bytes)) {
      return answerText(response, "no such upload", 404);
    }
    answerText(response, `OK - ${bytes.byteLength}`);
  } catch (error) {
    if (!(error instanceof BodyTooLargeError)) throw error;
    answerText(response, "file too large", 413);
  }
}

/**
 * `GET /files-pri/TEAM-FILE/[download/]NAME`. The name is for people; the id finds the file. Without a token
 * or a session Slack does not say 401: it leads to its sign-in page.
 */
export function sendFile(
  workspace: Workspace,
  url: URL,
  isAllowed: boolean,
  response: ServerResponse,
): void {
  if (!isAllowed) {
    redirect(response, `/signin?redir=${encodeURIComponent(url.pathname)}`);
    return;
  }
  const [, , owner = "", next] = url.pathname.split("/");
  const stored = workspace.files.get(owner.split("-")[1] ?? "");
  if (!stored) {
    answerText(response, "file_not_found", 404);
    return;
  }
  const { mimetype, name } = stored.object;
  const isInline = next !== "download" && INLINE_TYPES.has(mimetype);
  response.writeHead(200, {
    "Content-Type": mimetype,
    "Content-Length": String(stored.bytes.byteLength),
    "Content-Disposition": `${isInline ? "inline" : "attachment"}; filename*=UTF-8''${encodeName(name)}`,
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
  });
  response.end(stored.bytes);
}

export function sendSignIn(response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
  response.end(
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to your workspace</h1></body></html>",
  );
}

/** RFC 8187: percent-encoded, with the few marks that `encodeURIComponent` leaves. */
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
