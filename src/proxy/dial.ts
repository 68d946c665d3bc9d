import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  type CarriageAnswer,
  type CarrierAddress,
  carriageAnswer,
  carriageLine,
} from "../queue/index.ts";

/** The machine may be making a socket for this port, or be busy being saved. */
const ANSWER_WITHIN_MS = 10_000;

/** A connection to a port of a thread's computer, through the worker that has it; or why there is none. */
export async function dial(
  { host, port, secret }: CarrierAddress,
  target: { threadKey: string; port: number },
  signal: AbortSignal,
): Promise<Socket | Exclude<CarriageAnswer, "joined">> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  const end = () => socket.destroy();
  signal.addEventListener("abort", end, { once: true });
  socket.setTimeout(ANSWER_WITHIN_MS, end);
  // After this it is told by `close`.
  socket.on("error", () => {});
  try {
    socket.write(carriageLine({ ...target, secret }));
    const closed = once(socket, "close").then(() => undefined);
    await Promise.race([once(socket, "readable"), closed]);
    const byte: Buffer | null = socket.destroyed ? null : socket.read(1);
    const answer = byte ? carriageAnswer(byte.toString("latin1")) : undefined;
    if (answer === "joined") {
      socket.setTimeout(0);
      return socket;
    }
    socket.destroy();
    signal.throwIfAborted();
    // A worker that cannot be reached is gone, or its address is a new one.
    return answer ?? "asleep";
  } finally {
    signal.removeEventListener("abort", end);
  }
}
