import { RefusalLog } from "../../../relay/index.ts";
import type { ServeEvent } from "../../../relay/serve.ts";
import type { createLogger } from "../logger.ts";

/** Writes what happens to the clients of a relay into the log; of refusals a bounded number, and all are counted. */
export function relayLog(
  logger: ReturnType<typeof createLogger>,
  nowMs: () => number,
): (event: ServeEvent) => void {
  const refusals = new Map<number, RefusalLog>();
  return (event) => {
    const { kind } = event;
    if (kind === "turned-away") {
      logger.warn({ from: event.from, status: event.status }, "a client was turned away");
      return;
    }
    const { client } = event;
    if (kind === "joined") {
      const write = (refusal: object, unlogged: number) =>
        logger.warn({ client, ...refusal, ...(unlogged > 0 ? { unlogged } : {}) }, "refused");
      refusals.set(client, new RefusalLog({ nowMs, write }));
      logger.info({ client, from: event.from }, "a client joined");
    } else if (kind === "refused") refusals.get(client)?.add(event.refusal);
    else if (kind === "fault") logger.error({ client, err: event.error }, "a fault in the relay");
    else {
      refusals.delete(client);
      const { upBytes, downBytes, counts } = event.stats;
      logger.info({ client, upBytes, downBytes, counts }, "a client left");
    }
  };
}
