export {
  CARRIAGE,
  type CarriageAnswer,
  type CarrierAddress,
  carriageAnswer,
  carriageLine,
  LONGEST_CARRIAGE_LINE,
  parseCarriageLine,
} from "./carriage.ts";
export { connectRedis, displayAddress, requireRedis } from "./connection.ts";
export { QueueError, type QueueErrorCode, type TurnAbortCode, TurnAborted } from "./errors.ts";
export {
  type ExposedPort,
  type Exposure,
  MOST_EXPOSED_PORTS,
  type ThreadPlace,
} from "./exposures.ts";
export {
  type HeadMove,
  LINEAGE_STEPS,
  type Lineage,
  type LineageStep,
  type Position,
  snapshotsOf,
} from "./lineage.ts";
export type { Log } from "./log.ts";
export type { ThreadState } from "./mailbox.ts";
export type { JournalEntry, TurnOutcome, TurnStatus } from "./outcome.ts";
export { type QueueStatus, type ThreadStatus, TurnQueue, type TurnQueueOptions } from "./queue.ts";
export type { WorkerStatus } from "./status.ts";
export { TurnTaker } from "./taker.ts";
export type { TakerTiming, TurnContext, TurnTakerOptions, Waking } from "./taker-options.ts";
export * from "./turn.ts";
