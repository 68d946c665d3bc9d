import { hostname } from "node:os";
import type { Logger } from "pino";
import type { WorkerConfig } from "../src/config/index.ts";
import { type TakerTiming, TurnQueue, TurnTaker } from "../src/queue/index.ts";
import { Carrier, type CarrierOptions } from "./carrier.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Grace } from "./grace.ts";
import { keepTidy } from "./housekeeping.ts";
import { MachineSlot, type SlotMachine } from "./machine-slot.ts";
import { openStore } from "./open-store.ts";
import { Sandboxes } from "./sandboxes.ts";
import { createSlackClient } from "./slack/call.ts";
import { checkSlack } from "./slack/check.ts";
import type { SnapshotStore } from "./snapshots/store.ts";
import type { TurnLimits } from "./turn-run.ts";
import { TurnRunner } from "./turn-runner.ts";
import { warmUp } from "./warm-up.ts";

export interface WorkerOptions {
  config: WorkerConfig;
  logger: Logger;
  /** Start the worker's machine; called again whenever one has died. */
  startMachine: () => Promise<SlotMachine>;
  /** Where sandboxes stand between turns; on this host's disk without. */
  store?: SnapshotStore;
  limits?: Partial<TurnLimits>;
  timing?: Partial<TakerTiming>;
  clock?: Clock;
}

export interface RunningWorker {
  id: string;
  /** Finish the running turn until the deadline, else give it back to be run elsewhere; then end the machine. */
  close(options: { deadlineMs: number }): Promise<void>;
}

/** Slack may be starting too, or be busy for a moment. */
const SLACK_ANSWERS_WITHIN_MS = 10_000;
const MIB = 1024 * 1024;
const LIMITS = {
  attachmentBytes: 100 * MIB,
  attachmentTimeoutMs: 120_000,
  uploads: { maxFiles: 20, maxFileBytes: 100 * MIB, maxTotalBytes: 300 * MIB },
};

/**
 * One worker: one machine, and any number of threads that take turns in it.
 * Throws what starting the first machine throws (`MachineError`), `QueueError` without Redis, `SlackCheckError`, or
 * `CarrierError`.
 *
 * @example
 * const worker = await startWorker({ config, logger, startMachine: () => Machine.start(parameters) });
 * process.once("SIGTERM", () => worker.close({ deadlineMs: 30_000 }));
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, startMachine, clock = systemClock, timing } = options;
  const id = config.workerId ?? `${hostname()}-${process.pid}`;
  const log = options.logger.child({ worker: id });
  const { botToken, apiUrl } = config.slack;
  const client = createSlackClient(botToken, apiUrl);
  await checkSlack(client, apiUrl, {
    clock,
    log,
    deadlineMs: clock.now() + SLACK_ANSWERS_WITHIN_MS,
  });
  const slot = new MachineSlot({
    startMachine,
    ...(config.warmUp ? { warmUp } : {}),
    clock,
    log,
  });
  const queue = new TurnQueue({ ...config.queue, log });
  const { owner, carrier } = await prepare(queue, config, { clock, log });
  const store = openStore(config.store, config.machine.dataDir);
  const sandboxes = new Sandboxes(slot, options.store ?? store.snapshots, owner, carrier);
  const runner = new TurnRunner({
    sandboxes,
    client,
    slack: config.slack,
    limits: {
      ...LIMITS,
      timeoutMs: config.machine.turnTimeoutMs,
      maxOutputBytes: config.machine.turnMaxOutputBytes,
      ...options.limits,
    },
    clock,
    log,
  });
  const taker: TurnTaker = new TurnTaker({
    ...config.queue,
    workerId: id,
    log,
    handle: (turn, context) => runner.run(turn, context),
    abandon: (turn, attempts, context) => runner.abandon(turn, attempts, context),
    beforeTurn: (threadKey) => grace.end(threadKey),
    afterTurn: (closed) => grace.begin(closed),
    afterDrain: () => {
      if (!grace.isGoing) carrier?.sleep();
    },
    onWanted: (threadKey) => grace.wanted(threadKey),
    ...(carrier
      ? {
          waking: {
            carrier: carrier.address,
            mayWake: (threadKey) => grace.mayWake(threadKey),
            wake: (thread) => grace.wake(thread),
          },
        }
      : {}),
    ...(timing ? { timing } : {}),
  });
  const { graceMs } = config;
  const grace = new Grace({
    slot,
    sandboxes,
    threads: taker,
    ports: carrier,
    graceMs,
    clock,
    log,
  });
  try {
    await slot.machine();
    // Until the first turn comes, which may be at once.
    void slot.warmUp();
    await taker.run();
  } catch (error) {
    await carrier?.close();
    await slot.close();
    await queue.close();
    throw error;
  }
  const closing = new AbortController();
  const { threadTtlMs } = config;
  const tidying = keepTidy({ queue, store, owner, threadTtlMs, clock, log }, closing.signal);
  log.info("the worker takes turns");
  return {
    id,
    async close({ deadlineMs }) {
      await grace.close();
      await taker.close({ deadlineMs });
      await carrier?.close();
      await slot.close();
      closing.abort();
      await tidying;
      await queue.close();
      log.info("the worker has ended");
    },
  };
}

/** What has to be there before a worker takes turns. Throws `QueueError` without Redis, or `CarrierError`. */
async function prepare(
  queue: TurnQueue,
  { expose }: WorkerConfig,
  around: Pick<CarrierOptions, "clock" | "log">,
) {
  try {
    await queue.ready();
    const owner = await queue.installation();
    return { owner, carrier: expose && (await Carrier.listen({ ...expose, ...around })) };
  } catch (error) {
    await queue.close();
    throw error;
  }
}
