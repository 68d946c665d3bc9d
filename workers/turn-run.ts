import type { WebClient } from "@slack/web-api";
import type { Logger } from "pino";
import {
  replyThreadTs,
  type ThreadStep,
  type Turn,
  TurnAborted,
  type TurnContext,
  type TurnOutcome,
  threadKey,
} from "../src/queue/index.ts";
import { putAttachments } from "./attachments.ts";
import type { Clock } from "./clock.ts";
import { failureSentence, type Stage } from "./failure-sentence.ts";
import { programOf } from "./language.ts";
import type { ExecResult } from "./machine/result.ts";
import type { SlotMachine } from "./machine-slot.ts";
import type { FoundSnapshot, Sandboxes } from "./sandboxes.ts";
import { classify } from "./slack/call.ts";
import { failedMessage, type MessageContent, statusMessage } from "./slack/message.ts";
import { statusLine } from "./slack/status-line.ts";
import { TurnMessage } from "./slack/turn-message.ts";
import { chooseUploads, type UploadLimits, uploadFiles } from "./slack/upload.ts";
import { takeStep } from "./thread-step.ts";
import { TurnProgress } from "./turn-progress.ts";
import { outcomeOf, type ShownResult, showResult } from "./turn-result.ts";

export interface TurnLimits {
  timeoutMs: number;
  maxOutputBytes: number;
  attachmentBytes: number;
  attachmentTimeoutMs: number;
  uploads: UploadLimits;
}

export interface TurnRunOptions {
  sandboxes: Sandboxes;
  client: WebClient;
  slack: { botToken: string; apiUrl: string };
  limits: TurnLimits;
  clock: Clock;
  log: Logger;
}

/** How long Slack may be away before a turn's result is given up; the journal still has its outcome. */
const REPORT_WITHIN_MS = 120_000;
const UPLOAD_WITHIN_MS = 300_000;
const FIND_WITHIN_MS = 10_000;
const NOT_POSTED = "The result could not be posted to Slack.";
const NOTHING_RAN = { exitCode: null, durationMs: 0, outputBytes: 0 };

/** One turn on its way. */
export class TurnRun {
  readonly #options: TurnRunOptions;
  readonly #log: Logger;
  readonly #turn: Turn;
  readonly #context: TurnContext;
  readonly #threadKey: string;
  readonly #signal: AbortSignal;
  readonly #message: TurnMessage;
  /** Another worker has the turn: its message is no longer ours. */
  readonly #lost: AbortSignal;
  #stage: Stage = "preparing";

  constructor(options: TurnRunOptions, log: Logger, turn: Turn, context: TurnContext) {
    const { signal } = context;
    this.#options = options;
    this.#log = log;
    this.#turn = turn;
    this.#context = context;
    this.#threadKey = threadKey(turn.thread);
    this.#signal = signal;
    this.#lost = whenLost(signal);
    const { client, clock } = options;
    this.#message = new TurnMessage({ client, clock, log, place: this.#place, giveUp: this.#lost });
  }

  async toEnd(): Promise<TurnOutcome> {
    if (this.#context.attempt > 1) await this.#findEarlierMessage(this.#message);
    const { step } = this.#turn;
    return step ? this.#step(step) : this.#command();
  }

  async #command(): Promise<TurnOutcome> {
    const progress = new TurnProgress(this.#message, this.#threadKey, this.#options.clock);
    try {
      const { sandboxes } = this.#options;
      const snapshot = await sandboxes.find(this.#context.position.head);
      const machine = await sandboxes.enter(this.#threadKey, snapshot, this.#signal);
      await putAttachments(this.#turn.attachments, machine, {
        ...this.#options.slack,
        maxBytes: this.#options.limits.attachmentBytes,
        timeoutMs: this.#options.limits.attachmentTimeoutMs,
        signal: this.#signal,
      });
      this.#signal.throwIfAborted();
      const result = await this.#execute(machine, progress);
      return await this.#conclude(machine, snapshot, result);
    } catch (error) {
      return await this.#fail(error, progress);
    }
  }

  /** A step in the thread's history: nothing runs, and the thread is told where it stands. */
  async #step(step: ThreadStep): Promise<TurnOutcome> {
    try {
      const { text, outcome } = await takeStep(step, this.#turn, this.#context, {
        client: this.#options.client,
        postRoot: (root) => this.#postRoot(root),
      });
      await this.#context.confirm();
      const problem = await this.#show(statusMessage(text));
      return problem ? { ...outcome, error: NOT_POSTED } : outcome;
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** The first message of a thread that a fork begins; a worker before this one may have posted it. */
  async #postRoot(text: string): Promise<string> {
    const { client, clock, log } = this.#options;
    const place = { ...this.#place, threadTs: undefined, turnId: `${this.#turn.id}-fork` };
    const root = new TurnMessage({ client, clock, log, place, giveUp: this.#lost });
    if (this.#context.attempt > 1) await root.findEarlier(clock.now() + REPORT_WITHIN_MS);
    await root.finish(statusMessage(text), clock.now() + REPORT_WITHIN_MS);
    if (root.ts === undefined) throw new Error("Slack named no ts for a posted message");
    return root.ts;
  }

  async tellAbandoned(attempts: number): Promise<void> {
    await this.#findEarlierMessage(this.#message);
    await this.#show(
      failedMessage(
        `This command was started ${attempts} times, and each time the worker that ran it went away. It is not run again. The thread is back as it was before this command.`,
      ),
    );
  }

  async #execute(machine: SlotMachine, progress: TurnProgress): Promise<ExecResult> {
    this.#stage = "running";
    progress.running();
    const { command, files } = programOf(this.#turn.language, this.#turn.command);
    const onOutput = (chunk: Uint8Array) => progress.output(chunk);
    const result = await machine.exec(command, {
      ...(files ? { files } : {}),
      timeoutMs: this.#options.limits.timeoutMs,
      maxOutputBytes: this.#options.limits.maxOutputBytes,
      onStdout: onOutput,
      onStderr: onOutput,
      signal: this.#signal,
    });
    if (result.isCanceled && !this.#isStopped) this.#signal.throwIfAborted();
    return result;
  }

  /**
   * Tell the result and save the sandbox, both at once; the files follow. The thread's head stays where it is until
   * the queue closes the turn, so that a worker that goes away before that leaves a turn that can be run again as if
   * it had never begun.
   */
  async #conclude(
    machine: SlotMachine,
    from: FoundSnapshot | undefined,
    result: ExecResult,
  ): Promise<TurnOutcome> {
    this.#stage = "saving";
    const { sandboxes, limits } = this.#options;
    const shown = showResult(result, { ...limits, ...this.#stoppedBy });
    const { chosen, notes } = chooseUploads(
      result.files.map(({ name, size, path }) => ({
        name,
        size,
        read: () => machine.readFile(path),
      })),
      limits.uploads,
    );
    const outcome = outcomeOf(result);
    await this.#context.confirm();
    const [posted, captured] = await Promise.allSettled([
      this.#showResult(shown, notes),
      sandboxes.capture(machine, this.#turn.id, from),
    ]);
    let move: Pick<TurnOutcome, "move" | "storedBytes">;
    try {
      if (captured.status === "rejected") throw captured.reason;
      await this.#context.confirm();
      const uploadNotes = await this.#upload([...chosen, ...shown.attachments]);
      if (uploadNotes.length > 0) await this.#showResult(shown, [...notes, ...uploadNotes]);
      this.#lost.throwIfAborted();
      const { id, storedBytes } = await sandboxes.keep(this.#threadKey, captured.value, from);
      move = { move: { kind: "commit", snapshot: id }, storedBytes };
    } catch (error) {
      if (this.#lost.aborted) throw error;
      sandboxes.drop(error);
      this.#log.error({ err: error }, "the sandbox could not be saved");
      const sentence = failureSentence(error, "saving");
      await this.#showResult(shown, [...notes, `⚠ ${sentence}`]);
      return { ...outcome, status: "failed", error: sentence };
    }
    const problem = posted.status === "fulfilled" ? posted.value : String(posted.reason);
    return { ...outcome, ...move, ...(problem === undefined ? {} : { error: problem }) };
  }

  async #upload(files: Parameters<typeof uploadFiles>[0]): Promise<string[]> {
    if (files.length === 0) return [];
    const { client, clock, slack } = this.#options;
    return uploadFiles(files, {
      ...slack,
      client,
      clock,
      log: this.#log,
      place: this.#place,
      deadlineMs: clock.now() + UPLOAD_WITHIN_MS,
      giveUp: this.#lost,
    });
  }

  async #fail(error: unknown, progress?: TurnProgress): Promise<TurnOutcome> {
    const { sandboxes } = this.#options;
    sandboxes.drop(error);
    if (this.#isStopped && error === this.#signal.reason) {
      const stopped = { ...NOTHING_RAN, signal: null, timedOut: false, isMaxBuffer: false };
      const status = statusLine(
        { ...stopped, isCanceled: true },
        { ...this.#options.limits, ...this.#stoppedBy },
      );
      await this.#show(statusMessage(status));
      return { status: "canceled", ...NOTHING_RAN };
    }
    if (this.#signal.aborted && !this.#isStopped) {
      if (this.#lost.aborted) await this.#message.abandon();
      else await this.#message.withdraw();
      throw this.#signal.reason;
    }
    this.#log.error({ err: error, stage: this.#stage }, "turn failed");
    const sentence = failureSentence(error, this.#stage);
    await this.#show(failedMessage(sentence, progress?.lastOutput()));
    return { status: "failed", ...NOTHING_RAN, error: sentence };
  }

  /** What kept the result from the thread, if anything did. */
  async #showResult(shown: ShownResult, notes: readonly string[]): Promise<string | undefined> {
    const problem = await this.#show(shown.message(notes));
    if (problem === undefined) return undefined;
    if (problem.kind === "refused") {
      const note = `The output could not be shown: Slack refused it (${problem.reason}).`;
      if ((await this.#show(shown.plainMessage(note))) === undefined) return note;
    }
    return NOT_POSTED;
  }

  async #show(content: MessageContent) {
    try {
      await this.#message.finish(content, this.#options.clock.now() + REPORT_WITHIN_MS);
      return undefined;
    } catch (error) {
      const failure = classify(error);
      if (!this.#lost.aborted) this.#log.error({ failure }, "Slack did not take a turn's message");
      return failure;
    }
  }

  async #findEarlierMessage(message: TurnMessage): Promise<void> {
    try {
      await message.findEarlier(this.#options.clock.now() + FIND_WITHIN_MS);
    } catch (error) {
      this.#log.warn({ failure: classify(error) }, "the turn's earlier message was not found yet");
    }
  }

  get #place() {
    const { id, thread, messageTs } = this.#turn;
    const threadTs = replyThreadTs(thread);
    return { channelId: thread.channelId, threadTs, messageTs, turnId: id };
  }

  get #isStopped(): boolean {
    return abortCode(this.#signal) === "STOPPED";
  }

  get #stoppedBy(): { stoppedBy?: string } {
    const reason: unknown = this.#signal.reason;
    return reason instanceof TurnAborted && reason.userId ? { stoppedBy: reason.userId } : {};
  }
}

function abortCode(signal: AbortSignal) {
  const reason: unknown = signal.reason;
  return reason instanceof TurnAborted ? reason.code : undefined;
}

function whenLost(signal: AbortSignal): AbortSignal {
  const lost = new AbortController();
  const check = () => {
    if (abortCode(signal) === "LOST") lost.abort(signal.reason);
  };
  if (signal.aborted) check();
  else signal.addEventListener("abort", check, { once: true });
  return lost.signal;
}
