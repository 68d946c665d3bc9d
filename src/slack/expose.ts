import { type ExposeConfig, exposedUrl } from "../config/index.ts";
import { QueueError, type ThreadRef, type TurnQueue } from "../queue/index.ts";
import type { Request } from "./command.ts";

export type ExposeRequest = Extract<Request, { kind: "expose" | "unexpose" | "exposed" }>;

export interface ExposeOptions {
  queue: Pick<TurnQueue, "expose" | "unexpose" | "exposedPorts">;
  /** `undefined` where the operator has not opened the proxy. */
  expose: ExposeConfig | undefined;
}

/** What the thread is told (mrkdwn), or only the person who asked. */
export interface ExposeAnswer {
  text: string;
  isForAll: boolean;
}

const NOT_SET =
  "Ports cannot be exposed here: the operator has to set `MOM_EXPOSE_LISTEN` and run `./mom proxy`.";

/** Names and shows the ports of a thread that are reached from outside. Throws `QueueError` `REDIS_UNREACHABLE`. */
export async function answerExpose(
  request: ExposeRequest,
  thread: ThreadRef,
  { queue, expose }: ExposeOptions,
): Promise<ExposeAnswer> {
  if (request.kind === "unexpose") {
    const wasExposed = await queue.unexpose(thread, request.port);
    return wasExposed
      ? { text: `Port ${request.port} is not exposed any more.`, isForAll: true }
      : { text: `Port ${request.port} was not exposed.`, isForAll: false };
  }
  if (!expose) return { text: NOT_SET, isForAll: false };
  if (request.kind === "exposed") {
    const ports = await queue.exposedPorts(thread);
    if (ports.length === 0) {
      const text = "No port of this thread is exposed: `expose 8000` does it for port 8000.";
      return { text, isForAll: false };
    }
    const lines = ports.map(({ port, name }) => `• port ${port}: <${exposedUrl(expose, name)}>`);
    return { text: lines.join("\n"), isForAll: true };
  }
  try {
    const { port, name } = await queue.expose(thread, request.port);
    const text =
      `Port ${port} of this thread's computer is at <${exposedUrl(expose, name)}> for everybody who knows the address. ` +
      `Start the server in the background (\`&\`), so that it is there between commands; \`expose ${port} off\` ends it.`;
    return { text, isForAll: true };
  } catch (error) {
    if (!(error instanceof QueueError) || error.code === "REDIS_UNREACHABLE") throw error;
    return { text: error.message, isForAll: false };
  }
}
