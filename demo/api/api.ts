import type { IncomingMessage, ServerResponse } from "node:http";
import type { Faults } from "../faults.ts";
import { BodyTooLargeError, type ParsedBody, readBody } from "../http/body.ts";
import { FileLimitError } from "../workspace/files.ts";
import type { ApiContext, ApiMethod, ApiMethods } from "./call.ts";
import { SlackApiError } from "./errors.ts";
import { chatMethods } from "./methods/chat.ts";
import { conversationMethods } from "./methods/conversations.ts";
import { fileMethods } from "./methods/files.ts";
import { statusMethods } from "./methods/status.ts";
import { streamMethods } from "./methods/stream.ts";
import { workspaceMethods } from "./methods/workspace.ts";
import type { RateLimiter } from "./rate-limit.ts";

const METHODS: ApiMethods = {
  ...chatMethods,
  ...conversationMethods,
  ...fileMethods,
  ...statusMethods,
  ...streamMethods,
  ...workspaceMethods,
};

const MAX_API_BODY_BYTES = 2 * 1024 * 1024;

/** One call as it was answered. */
export interface ApiCall {
  method: string;
  ok: boolean;
  error: string | undefined;
  atMs: number;
}

/** The Web API: `/api/METHOD`. */
export class WebApi {
  /** The last calls, for tests to count. */
  readonly calls: ApiCall[] = [];
  readonly #context: ApiContext;
  readonly #limiter: RateLimiter;
  readonly #faults: Faults;

  constructor(context: ApiContext, limiter: RateLimiter, faults: Faults) {
    this.#context = context;
    this.#limiter = limiter;
    this.#faults = faults;
  }

  async handle(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body: ParsedBody;
    try {
      body = await readBody(request, MAX_API_BODY_BYTES);
    } catch (error) {
      return this.#answer(name, response, { ok: false, error: bodyError(error) });
    }
    const fault = this.#faults.takeForCall(name);
    switch (fault?.kind) {
      case "rate-limit":
        return this.#tooMany(name, response, fault.retryAfterSeconds);
      case "http-status":
        response.writeHead(fault.status, { "Content-Type": "text/plain" });
        response.end("Internal Server Error");
        return;
      case "api-error":
        return this.#answer(name, response, { ok: false, error: fault.error });
      case "hang":
        return;
      case "reset":
        if (fault.after) this.#run(name, request, body.fields);
        request.socket.resetAndDestroy();
        return;
      case "delay-call":
        await new Promise((resolve) => setTimeout(resolve, fault.delayMs).unref());
        break;
      case undefined:
        break;
    }
    const result = this.#run(name, request, body.fields);
    if ("retryAfterSeconds" in result) {
      return this.#tooMany(name, response, Number(result.retryAfterSeconds));
    }
    this.#answer(name, response, result);
  }

  #run(name: string, request: IncomingMessage, args: Record<string, unknown>) {
    try {
      const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
      if (!method) throw new SlackApiError("unknown_method", { req_method: name });
      this.#authorize(method, tokenOf(request, args));
      const retryAfterSeconds = this.#limiter.take(name, String(args.channel ?? ""));
      if (retryAfterSeconds > 0) return { retryAfterSeconds };
      return { ok: true, ...method.run(this.#context, args) };
    } catch (error) {
      if (error instanceof SlackApiError) return { ok: false, error: error.code, ...error.details };
      if (error instanceof FileLimitError) return { ok: false, error: error.code };
      throw error;
    }
  }

  #authorize(method: ApiMethod, token: string): void {
    const { app } = this.#context.workspace.config;
    if (token === "") throw new SlackApiError("not_authed");
    if (token !== app.botToken && token !== app.appToken) throw new SlackApiError("invalid_auth");
    const wanted = method.token === "app" ? app.appToken : app.botToken;
    if (token !== wanted) throw new SlackApiError("not_allowed_token_type");
    if (method.scope && !app.scopes.includes(method.scope)) {
      throw new SlackApiError("missing_scope", {
        needed: method.scope,
        provided: app.scopes.join(","),
      });
    }
  }

  #tooMany(name: string, response: ServerResponse, retryAfterSeconds: number): void {
    response.setHeader("Retry-After", String(retryAfterSeconds));
    this.#answer(name, response, { ok: false, error: "ratelimited" }, 429);
  }

  #answer(
    name: string,
    response: ServerResponse,
    result: Record<string, unknown>,
    status = 200,
  ): void {
    const error = result.ok === true ? undefined : String(result.error);
    this.calls.push({
      method: name,
      ok: result.ok === true,
      error,
      atMs: this.#context.workspace.now(),
    });
    if (this.calls.length > 1_000) this.calls.shift();
    response.writeHead(status, {
      "Content-Type": "application/json; charset=utf-8",
      "X-OAuth-Scopes": this.#context.workspace.config.app.scopes.join(","),
    });
    response.end(JSON.stringify(result));
  }
}

function bodyError(error: unknown): string {
  if (error instanceof BodyTooLargeError) return "request_too_large";
  return error instanceof SyntaxError ? "invalid_json" : "invalid_form_data";
}

function tokenOf(request: IncomingMessage, args: Record<string, unknown>): string {
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  return bearer ?? (typeof args.token === "string" ? args.token : "");
}
