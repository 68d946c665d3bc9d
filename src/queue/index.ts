export { connectRedis, displayAddress, requireRedis } from "./connection.ts";
export { QueueError, type QueueErrorCode, type TurnAbortCode, TurnAborted } from "./errors.ts";
export { type ExposedPort, type Exposure, MOST_EXPOSED_PORTS } from "./exposures.ts";
export {
  type HeadMove,
  LINEAGE_STEPS,
  type Lineage,
  type LineageStep,
  type Position,
  snapshotsOf,
} from "./lineage.ts";
export type { Log } from "./log.ts";
export type { ClosedTurn } from "./mailbox.ts";
export type { JournalEntry, TurnOutcome, TurnStatus } from "./outcome.ts";
export { type QueueStatus, type ThreadStatus, TurnQueue, type TurnQueueOptions } from "./queue.ts";
export type { WorkerStatus } from "./status.ts";
export { type TakerTiming, type TurnContext, TurnTaker, type TurnTakerOptions } from "./taker.ts";
export * from "./turn.ts";
