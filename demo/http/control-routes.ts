import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import type { WebApi } from "../api/api.ts";
import type { Delivery } from "../delivery/delivery.ts";
import { type Faults, faultSchema } from "../faults.ts";
import { answerJson } from "./answer.ts";
import { readBody } from "./body.ts";

const MAX_CONTROL_BODY_BYTES = 64 * 1024;
const socketsSchema = z.object({ action: z.enum(["drop", "refresh", "garble"]) });
const requestUrlSchema = z.object({ url: z.url().nullable() });

export interface Controlled {
  faults: Faults;
  delivery: Delivery;
  api: WebApi;
}

/** `/_local/…`: what a test in another process asks of the server. Nothing here gives out a token. */
export async function handleControl(
  controlled: Controlled,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { faults, delivery, api } = controlled;
  const route = `${request.method} ${path}`;
  if (route === "GET /_local/calls") return answerJson(response, api.calls);
  if (route === "GET /_local/deliveries") return answerJson(response, delivery.records);
  if (route === "GET /_local/faults") return answerJson(response, faults.pending());
  if (route === "DELETE /_local/faults") {
    faults.clear();
    return answerJson(response, { ok: true });
  }
  // A browser asks before it sends JSON across origins, and gets no leave.
  if (!request.headers["content-type"]?.startsWith("application/json")) {
    return answerJson(response, { ok: false, error: "expected application/json" }, 415);
  }
  const { fields } = await readBody(request, MAX_CONTROL_BODY_BYTES);
  if (route === "POST /_local/faults") {
    faults.add(faultSchema.parse(fields));
    return answerJson(response, { ok: true });
  }
  if (route === "POST /_local/sockets") {
    const { action } = socketsSchema.parse(fields);
    if (action === "drop") faults.dropSockets();
    if (action === "refresh") faults.refreshSockets();
    if (action === "garble") faults.garbleSockets();
    return answerJson(response, { ok: true });
  }
  if (route === "POST /_local/request-url") {
    const { url } = requestUrlSchema.parse(fields);
    await delivery.setRequestUrl(url ?? undefined);
    return answerJson(response, { ok: true });
  }
  answerJson(response, { ok: false, error: "not found" }, 404);
}
