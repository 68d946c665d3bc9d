import type { WebClient } from "@slack/web-api";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { classify, persist } from "./call.ts";
import { findTurnMessages, type Place, turnMetadata } from "./find-message.ts";
import type { MessageContent } from "./message.ts";

export interface TurnMessageOptions {
  client: WebClient;
  clock: Clock;
  log: Logger;
  place: Place;
  /** Aborted when the message is no longer ours to change. */
  giveUp: AbortSignal;
}

/** Slack allows about 50 edits a minute to all messages of a bot (tier 3) before it answers 429. */
const FIRST_INTERVAL_MS = 1_000;
const MAX_INTERVAL_MS = 10_000;
/** A turn that has been going for long is looked at less closely: its edits get rarer with its age. */
const AGE_SHARE = 1 / 15;
const MAX_INTERVAL_BY_AGE_MS = 5_000;

/**
 * The one message of a turn in its thread: posted once, then edited, one call at a time.
 *
 * A worker that has lost the turn may have a post on its way without knowing, which comes to the thread when this one
 * has already looked: so who has a turn after another looks again before it posts, and in the end takes away what
 * stands beside its own.
 */
export class TurnMessage {
  readonly #options: TurnMessageOptions;
  #ts: string | undefined;
  #mayBePosted = false;
  #hadOtherWorkers = false;
  #notBeforeMs = 0;
  #intervalMs = FIRST_INTERVAL_MS;
  #live: { stop: AbortController; ended: Promise<void> } | undefined;

  constructor(options: TurnMessageOptions) {
    this.#options = options;
  }

  /** Go on with the message that a worker before this one posted, if there is one. */
  async findEarlier(deadlineMs: number): Promise<void> {
    this.#hadOtherWorkers = true;
    this.#mayBePosted = true;
    await this.#persist("find the earlier message", deadlineMs, () => this.#lookUp());
  }

  /**
   * Keep the message showing what `render` gives, from `afterMs` on. `undefined` means nothing new.
   * The next edit comes some time after the last was answered, with what is newest then.
   */
  showLive(afterMs: number, render: () => MessageContent | undefined): void {
    const stop = new AbortController();
    this.#live = { stop, ended: this.#showUntil(stop.signal, afterMs, render) };
  }

  /** Show the last state, whatever it takes until the deadline. Throws Slack's last error after it. */
  async finish(content: MessageContent, deadlineMs: number): Promise<void> {
    await this.#stopLive();
    const { clock, giveUp } = this.#options;
    await clock.sleep(Math.max(0, this.#notBeforeMs - clock.now()), giveUp);
    await this.#persist("post the result", deadlineMs, () => this.#put(content));
    if (this.#hadOtherWorkers) await this.#removeOthers();
  }

  /** The message's `ts`, once it was posted or found. */
  get ts(): string | undefined {
    return this.#ts;
  }

  /** Take the message away, so that another worker can begin anew. */
  async withdraw(): Promise<void> {
    await this.#stopLive();
    if (this.#ts === undefined) return;
    await this.#remove(this.#ts);
  }

  /** Change it no more, and leave it as it is. */
  async abandon(): Promise<void> {
    await this.#stopLive();
  }

  async #showUntil(
    stop: AbortSignal,
    afterMs: number,
    render: () => MessageContent | undefined,
  ): Promise<void> {
    const { clock } = this.#options;
    const startedAtMs = clock.now();
    await clock.sleep(afterMs, stop);
    while (!stop.aborted && !this.#options.giveUp.aborted) {
      const content = render();
      if (content && !(await this.#tryPut(content))) return;
      const byAgeMs = Math.min((clock.now() - startedAtMs) * AGE_SHARE, MAX_INTERVAL_BY_AGE_MS);
      const waitMs = Math.max(this.#intervalMs, byAgeMs, this.#notBeforeMs - clock.now());
      await clock.sleep(waitMs, stop);
    }
  }

  /** One try at a live edit. False when Slack would refuse the next one, too. */
  async #tryPut(content: MessageContent): Promise<boolean> {
    try {
      await this.#put(content);
      return true;
    } catch (error) {
      const failure = classify(error);
      this.#options.log.warn({ failure }, "Slack did not take a live edit");
      if (failure.kind === "refused") return false;
      this.#intervalMs = Math.min(this.#intervalMs * 2, MAX_INTERVAL_MS);
      if (failure.kind === "rate-limited") {
        this.#notBeforeMs = this.#options.clock.now() + failure.retryAfterMs;
      }
      return true;
    }
  }

  async #put(content: MessageContent): Promise<void> {
    const { client, place } = this.#options;
    // A post that seemed to fail may stand in the thread: a second one would stay there beside it.
    if (this.#ts === undefined && this.#mayBePosted) await this.#lookUp();
    const message = {
      channel: place.channelId,
      text: content.text,
      blocks: content.blocks,
      metadata: turnMetadata(place.turnId),
    };
    if (this.#ts !== undefined && (await this.#edit({ ...message, ts: this.#ts }))) return;
    try {
      const { ts } = await client.chat.postMessage({
        ...message,
        ...(place.threadTs ? { thread_ts: place.threadTs } : {}),
        unfurl_links: false,
        unfurl_media: false,
      });
      this.#ts = ts;
    } catch (error) {
      this.#mayBePosted = this.#hadOtherWorkers || classify(error).kind === "unsure";
      throw error;
    }
  }

  /** False when it is gone: another worker that does not know yet that it lost the turn has taken it for one too many. */
  async #edit(message: Parameters<WebClient["chat"]["update"]>[0]): Promise<boolean> {
    try {
      await this.#options.client.chat.update(message);
      return true;
    } catch (error) {
      const failure = classify(error);
      const isGone = failure.kind === "refused" && failure.reason === "message_not_found";
      if (!(isGone && this.#hadOtherWorkers)) throw error;
      this.#ts = undefined;
      return false;
    }
  }

  async #lookUp(): Promise<void> {
    [this.#ts] = await findTurnMessages(this.#options.client, this.#options.place);
  }

  async #removeOthers(): Promise<void> {
    const { client, log, place } = this.#options;
    try {
      const all = await findTurnMessages(client, place);
      for (const ts of all) if (ts !== this.#ts) await this.#remove(ts);
    } catch (error) {
      log.warn({ failure: classify(error) }, "no look for other messages of the turn");
    }
  }

  async #remove(ts: string): Promise<void> {
    const { client, log, place } = this.#options;
    try {
      await client.chat.delete({ channel: place.channelId, ts });
    } catch (error) {
      log.warn({ failure: classify(error) }, "a message of a turn stays that is not to be there");
    }
  }

  async #stopLive(): Promise<void> {
    this.#live?.stop.abort();
    await this.#live?.ended;
    this.#live = undefined;
  }

  #persist(what: string, deadlineMs: number, call: () => Promise<void>): Promise<void> {
    const { clock, log, giveUp } = this.#options;
    return persist({ clock, log, deadlineMs, signal: giveUp }, what, call);
  }
}
