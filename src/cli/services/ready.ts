import type { ChildProcess } from "node:child_process";
import { z } from "zod";

/** What a part of ours says over its IPC channel as soon as it can be used. */
const readyMessage = z.object({
  event: z.literal("ready"),
  /** Where it is to be reached, for parts that listen. */
  url: z.string().optional(),
});
export type ReadyMessage = z.infer<typeof readyMessage>;

export function saysReady(child: ChildProcess): Promise<ReadyMessage> {
  return new Promise((resolve) => {
    const onMessage = (message: unknown) => {
      const parsed = readyMessage.safeParse(message);
      if (!parsed.success) return;
      child.off("message", onMessage);
      resolve(parsed.data);
    };
    child.on("message", onMessage);
  });
}
