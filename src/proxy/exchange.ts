import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";
import { requestHeaders, responseHeaders } from "./headers.ts";
import { refusals, refuse } from "./refusal.ts";

export interface ExchangeOptions {
  /** Leads to the guest's port, and is used for this request alone. */
  there: Socket;
  port: number;
  host: string;
  /** Of the address that people use: `http` or `https`. */
  protocol: string;
  answerWithinMs: number;
  idleMs: number;
}

/** Of an answer: a guest's are read by the same rules as anybody's. */
const MOST_HEADER_BYTES = 32 * 1024;

/** Passes a request on to the guest and its answer back, both as they come. */
export function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  options: ExchangeOptions,
): void {
  const onward = passOn(request, response, options);
  if (!onward) return;
  if (hasBody(request)) request.pipe(onward);
  else onward.end();
}

/** The same for a WebSocket: from the guest's `101` on, bytes go both ways. */
export function exchangeWebSocket(
  request: IncomingMessage,
  response: ServerResponse,
  head: Buffer,
  options: ExchangeOptions,
): void {
  const { socket } = request;
  const onward = passOn(request, response, options);
  if (!onward) return;
  onward.setHeader("connection", "Upgrade");
  onward.setHeader("upgrade", "websocket");
  onward.on("upgrade", (answer, there: Socket, thereHead) => {
    let switched: string;
    try {
      switched = switching(answer);
    } catch {
      there.destroy();
      refuse(response, refusals.badAnswer());
      return;
    }
    response.detachSocket(socket);
    socket.write(switched);
    if (thereHead.length > 0) socket.write(thereHead);
    if (head.length > 0) there.write(head);
    there.setTimeout(options.idleMs);
    there.on("error", () => socket.destroy());
    there.once("close", () => socket.destroySoon());
    socket.once("close", () => there.destroy());
    socket.pipe(there).pipe(socket);
  });
  onward.end();
}

function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { there, port, host, protocol, answerWithinMs, idleMs }: ExchangeOptions,
): ClientRequest | undefined {
  let onward: ClientRequest;
  try {
    // Without an agent: no connection is used twice, so no answer is taken for that to another request.
    onward = httpRequest({
      createConnection: () => there,
      method: request.method,
      path: request.url,
      maxHeaderSize: MOST_HEADER_BYTES,
      setHost: false,
    });
    const address = request.socket.remoteAddress ?? "";
    const headers = requestHeaders(request.rawHeaders, { address, host, protocol });
    for (const [name, values] of headers) onward.setHeader(name, values);
  } catch {
    there.destroy();
    refuse(response, refusals.badRequest("This request cannot be passed on."));
    return undefined;
  }
  let isLate = false;
  let isAnswered = false;
  there.setTimeout(answerWithinMs, () => {
    isLate = true;
    there.destroy();
  });
  onward.on("response", (answer) => {
    isAnswered = true;
    there.setTimeout(idleMs);
    // What is left of the body is not waited for.
    if (!request.complete) response.shouldKeepAlive = false;
    answerWith(answer, response);
  });
  const fail = () => {
    // A guest may answer without hearing out the request; whether its answer is whole shows there. Without a socket it
    // has become a WebSocket.
    if (isAnswered || response.socket === null) return;
    // Nobody listens there: the connection is closed before it carries a byte.
    const isSilent = there.bytesRead <= 1;
    if (isLate) refuse(response, refusals.noAnswer(answerWithinMs / 1_000));
    else refuse(response, isSilent ? refusals.silent(port) : refusals.badAnswer());
  };
  onward.on("error", fail);
  // Alone where the guest switches to something that nobody asked for.
  onward.once("close", fail);
  // Whoever asked has gone.
  response.once("close", () => there.destroy());
  return onward;
}

function answerWith(answer: IncomingMessage, response: ServerResponse): void {
  try {
    for (const [name, values] of responseHeaders(answer.rawHeaders)) {
      response.setHeader(name, values);
    }
    response.writeHead(answer.statusCode ?? 0);
  } catch {
    answer.destroy();
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    refuse(response, refusals.badAnswer());
    return;
  }
  pipeline(answer, response, () => {
    // An answer that was broken off breaks off here, too.
  });
}

/** The head that a guest's `101` is passed on with. Throws for one that is none. */
function switching({ headers, rawHeaders }: IncomingMessage): string {
  if (headers.upgrade?.toLowerCase() !== "websocket") throw new Error("no WebSocket");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"];
  for (const [name, values] of responseHeaders(rawHeaders)) {
    for (const value of values) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      lines.push(`${name}: ${value}`);
    }
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
}
