import type { TakerTiming } from "../../src/queue/index.ts";

/** Short enough for tests that wait for a worker to be missed. */
export const quickTiming: Partial<TakerTiming> = {
  lock: 1_000,
  stalledCheck: 500,
  watch: 200,
  heartbeat: 500,
  sweep: 700,
  closeGrace: 1_000,
};
