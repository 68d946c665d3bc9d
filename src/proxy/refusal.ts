import type { ServerResponse } from "node:http";

/** Why a request gets no answer of a guest's: a status and a sentence for whoever asked. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  /** When it makes sense to ask again. */
  readonly retryAfterS: number | undefined;

  constructor(status: number, message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

export const refusals = {
  badRequest: (sentence: string) => new Refusal(400, sentence),
  unknown: () => new Refusal(404, "There is nothing at this address."),
  silent: (port: number) =>
    new Refusal(
      502,
      `Nothing in this thread's computer answers on port ${port}: start a server there, in the background.`,
    ),
  badAnswer: () =>
    new Refusal(502, "The program on this port gave an answer that is not HTTP, or broke it off."),
  noAnswer: (seconds: number) =>
    new Refusal(504, `The program on this port did not answer in ${seconds} seconds.`),
  busy: () => new Refusal(503, "Too many connections are open: try again in a moment.", 2),
  asleep: () =>
    new Refusal(
      503,
      "This thread's computer sleeps, and no worker was free to wake it: try again in a while.",
      10,
    ),
  unwakable: () =>
    new Refusal(503, "This thread's computer could not be woken: a command in it says why.", 30),
  noWayIn: () =>
    new Refusal(
      503,
      "The network of this thread's computer lets nothing in: whoever runs Mom has to set MOM_NET to relay.",
    ),
  queueAway: () => new Refusal(503, "The queue cannot be reached right now.", 10),
} as const;

/** Tells whoever asked, if nothing was said yet; else breaks off, so that nobody takes half an answer for a whole one. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, message, retryAfterS } = refusal;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  response.setHeader("connection", "close");
  if (retryAfterS !== undefined) response.setHeader("retry-after", retryAfterS);
  response.writeHead(status);
  response.end(`${message}\n`);
}
