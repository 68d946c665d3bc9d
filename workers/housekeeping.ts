import type { Logger } from "pino";
import type { TurnQueue } from "../src/queue/index.ts";
import type { Clock } from "./clock.ts";
import { GRACE_MS, type OpenStore } from "./open-store.ts";
import { type Collected, collect } from "./snapshots/collector.ts";

export interface HousekeepingOptions {
  queue: TurnQueue;
  store: OpenStore;
  owner: string;
  /** A thread that was not used for so long is forgotten. */
  threadTtlMs: number;
  graceMs?: number;
  clock: Clock;
  log: Logger;
}

const FIRST_AFTER_MS = 60_000;
const EVERY_MS = 60 * 60_000;
/** A copy of a blob that no turn on this host needed for so long. */
const COPY_TTL_MS = 7 * 24 * 60 * 60_000;

/** Forget threads that nobody uses any more, and remove what is stored for nobody. */
export async function tidy(options: HousekeepingOptions): Promise<Collected & { threads: number }> {
  const { queue, store, owner, threadTtlMs, graceMs = GRACE_MS, clock } = options;
  const unusedSinceMs = clock.now() - threadTtlMs;
  let threads = 0;
  for (const { threadKey, lastUsedMs } of await queue.threads()) {
    if (lastUsedMs > unusedSinceMs) continue;
    if ((await queue.forget(threadKey, unusedSinceMs)) === "forgotten") threads++;
  }
  const collected = await collect({
    objects: store.objects,
    owner,
    liveSnapshots: () => queue.liveSnapshots(),
    graceMs,
    now: () => clock.now(),
  });
  for await (const { name } of store.copies?.list("blobs") ?? []) {
    await store.copies?.remove(name, clock.now() - COPY_TTL_MS);
  }
  return { threads, ...collected };
}

/** Tidy up every hour until the signal is aborted. Several workers may do so at once. */
export async function keepTidy(options: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  await clock.sleep(FIRST_AFTER_MS, signal);
  while (!signal.aborted) {
    try {
      const removed = await tidy(options);
      if (removed.threads + removed.snapshots + removed.blobs > 0) {
        log.info(removed, "removed what no thread needs any more");
      }
    } catch (err) {
      log.warn({ err }, "the store could not be tidied up; it is tried again later");
    }
    await clock.sleep(EVERY_MS, signal);
  }
}
