import { type Turn, type TurnContext, type TurnOutcome, threadKey } from "../src/queue/index.ts";
import { TurnRun, type TurnRunOptions } from "./turn-run.ts";

/** Runs turns on the worker's machine, one at a time, and tells their threads what came of them. */
export class TurnRunner {
  readonly #options: TurnRunOptions;

  constructor(options: TurnRunOptions) {
    this.#options = options;
  }

  /** Throws the signal's reason when the turn is to be run again, by another worker. */
  async run(turn: Turn, context: TurnContext): Promise<TurnOutcome> {
    const { attempt } = context;
    const log = this.#options.log.child({ turn: turn.id, thread: threadKey(turn.thread), attempt });
    const run = new TurnRun(this.#options, log, turn, context);
    log.info({ language: turn.language, attachments: turn.attachments.length }, "turn starts");
    const outcome = await run.toEnd();
    log.info(outcome, "turn is over");
    return outcome;
  }

  /** Tell the thread that a turn was given up. */
  async abandon(turn: Turn, attempts: number, context: TurnContext): Promise<void> {
    const log = this.#options.log.child({ turn: turn.id, thread: threadKey(turn.thread) });
    const run = new TurnRun(this.#options, log, turn, context);
    await run.tellAbandoned(attempts);
  }
}
