import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { z } from "zod";
import type { WebApi } from "../api/api.ts";
import { showAppReply } from "../delivery/app-reply.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { ResponseUrls } from "../delivery/response-urls.ts";
import type { SocketMode } from "../delivery/socket-mode.ts";
import type { Faults } from "../faults.ts";
import { PersonError } from "../people.ts";
import { FileLimitError } from "../workspace/files.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { answerJson, answerText, redirect } from "./answer.ts";
import { BodyTooLargeError, readBody } from "./body.ts";
import { handleControl } from "./control-routes.ts";
import { receiveUpload, sendFile, sendSignIn } from "./file-routes.ts";
import { cookie, isForUs, isSameOrigin } from "./guard.ts";
import type { PageRoutes } from "./page-routes.ts";

const SESSION_COOKIE = "local_slack";
const MAX_REPLY_BYTES = 512 * 1024;

export interface ServerParts {
  workspace: Workspace;
  api: WebApi;
  page: PageRoutes;
  socket: SocketMode;
  delivery: Delivery;
  responseUrls: ResponseUrls;
  faults: Faults;
  log(line: string): void;
}

/** Everything on one port: Web API, Socket Mode, files, response URLs, the page, the control address. */
export function createSlackServer(parts: ServerParts): Server {
  const session = randomBytes(24).toString("base64url");
  const server = createServer((request, response) => {
    route(parts, session, request, response).catch((error: unknown) =>
      refuse(parts, error, request, response),
    );
  });
  server.on("upgrade", (request, socket, head) => upgrade(parts, request, socket, head));
  return server;
}

async function route(
  parts: ServerParts,
  session: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isForUs(request)) return answerText(response, "not for this host", 421);
  const url = new URL(request.url ?? "/", "http://local");
  const path = url.pathname;
  const isPerson = cookie(request, SESSION_COOKIE) === session && isSameOrigin(request);

  if (path.startsWith("/api/")) return parts.api.handle(path.slice(5), request, response);
  if (path.startsWith("/upload/v1/") && request.method === "POST") {
    return receiveUpload(parts.workspace, path.slice(11), request, response);
  }
  if (path.startsWith("/commands/")) return takeReply(parts, path, request, response);
  if (path.startsWith("/files-pri/")) {
    return sendFile(parts.workspace, url, isPerson || hasFileToken(parts, request), response);
  }
  if (path.startsWith("/files/")) {
    const file = parts.workspace.files.get(path.split("/")[3] ?? "");
    return redirect(response, file ? new URL(file.object.url_private).pathname : "/");
  }
  if (path === "/signin") return sendSignIn(response);
  if (path.startsWith("/_local/")) {
    if (!isSameOrigin(request)) return answerText(response, "not from this origin", 403);
    return handleControl(parts, path, request, response);
  }
  if (path.startsWith("/_page/")) {
    if (!isPerson) return answerText(response, "open the page first", 403);
    if (path === "/_page/events") {
      return parts.page.sendEvents(url.searchParams.get("user") ?? "", response);
    }
    if (request.method !== "POST") return answerText(response, "use POST", 405);
    return parts.page.act(path.slice(7), request, response);
  }
  if (request.method !== "GET") return answerText(response, "not found", 404);
  if (path === "/" || path.startsWith("/archives/")) {
    return parts.page.sendAsset("index.html", response, {
      "Set-Cookie": `${SESSION_COOKIE}=${session}; HttpOnly; SameSite=Strict; Path=/`,
    });
  }
  if (path.startsWith("/page/")) return parts.page.sendAsset(path.slice(6), response);
  answerText(response, "not found", 404);
}

/** A message through a response URL. */
async function takeReply(
  parts: ServerParts,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { fields } = await readBody(request, MAX_REPLY_BYTES);
  const target = parts.responseUrls.use(path);
  if (typeof target === "string") return answerJson(response, { ok: false, error: target }, 404);
  if (!showAppReply(parts.workspace, target, fields)) {
    return answerJson(response, { ok: false, error: "invalid_payload" }, 400);
  }
  answerText(response, "ok");
}

function hasFileToken(parts: ServerParts, request: IncomingMessage): boolean {
  const { app } = parts.workspace.config;
  const isBot = request.headers.authorization === `Bearer ${app.botToken}`;
  return isBot && app.scopes.includes("files:read");
}

function upgrade(parts: ServerParts, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => socket.destroy());
  const url = new URL(request.url ?? "/", "http://local");
  const isRefused = parts.faults.take("refuse-socket") !== undefined;
  if (!isForUs(request) || url.pathname !== "/link/" || isRefused) {
    socket.end("HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  parts.socket.upgrade(request, socket, head, url.searchParams.get("ticket") ?? "");
}

function refuse(
  parts: ServerParts,
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = statusOf(error);
  if (status === 500) {
    parts.log(`${request.method} ${request.url}: ${error instanceof Error ? error.stack : error}`);
  }
  // What is left of a body that nobody reads must not be taken for the next request.
  if (status === 413) response.setHeader("Connection", "close");
  const code = error instanceof Error && "code" in error ? error.code : "bad_request";
  const message = error instanceof Error && status !== 500 ? error.message : "internal error";
  answerJson(response, { ok: false, error: code, message }, status);
}

function statusOf(error: unknown): number {
  if (error instanceof PersonError) return 400;
  if (error instanceof BodyTooLargeError || error instanceof FileLimitError) return 413;
  const isBadInput =
    error instanceof z.ZodError || error instanceof SyntaxError || error instanceof TypeError;
  return isBadInput ? 400 : 500;
}
