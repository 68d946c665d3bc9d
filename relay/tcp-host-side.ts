import type { HostStream } from "./host.ts";
import type { Budget, Limits } from "./limits.ts";
import type { TcpReceiver } from "./tcp-receiver.ts";

/** Judges a stream by what the guest sends first. */
export type Gate = (firstBytes: Uint8Array, isAll: boolean) => "wait" | "open" | "closed";

/** More than a ClientHello or the head of a request needs. */
const MAX_JUDGED_BYTES = 16_384;
/** The send buffer that a connection always has: one read of the host's. */
const MIN_SEND_BYTES = 65_536;
const RESUME_SHARE = 3 / 4;

/** The host's stream of a connection, and the gate before it. */
export class TcpHostSide {
  #stream: HostStream | undefined;
  #gate: Gate | undefined;
  #isPaused = false;
  #isEnded = false;

  constructor(gate: Gate | undefined) {
    this.#gate = gate;
  }

  attach(stream: HostStream): void {
    this.#stream = stream;
  }

  /** The stream is over by itself. */
  forget(): void {
    this.#stream = undefined;
  }

  get unsentBytes(): number {
    return this.#stream?.unsentBytes ?? 0;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream?.resume();
  }

  /**
   * Reads no more than may wait for the guest, and goes on when a quarter of that is free again: every stop and start
   * costs system calls.
   */
  limitReading(from: { budget: Budget; limits: Limits }, waiting: number): void {
    const { budget, limits } = from;
    const most = budget.share(limits.connectionBufferBytes, MIN_SEND_BYTES);
    if (waiting >= most) this.pause();
    else if (waiting <= most * RESUME_SHARE) this.resume();
  }

  /** Asks the gate whether anything may pass; true when there is none, or none any more. */
  judge(receiver: TcpReceiver): "wait" | "open" | "closed" {
    if (this.#gate === undefined) return "open";
    const { isFinished, queuedBytes } = receiver;
    if (queuedBytes === 0) return isFinished ? "open" : "wait";
    const isAll = isFinished || queuedBytes >= MAX_JUDGED_BYTES;
    const verdict = this.#gate(receiver.peek(MAX_JUDGED_BYTES), isAll);
    if (verdict === "open") this.#gate = undefined;
    return verdict;
  }

  /** Hands on what the guest has sent, and then its end. Returns the number of bytes. */
  drain(receiver: TcpReceiver, maxBytes: number): number {
    if (this.#stream === undefined) return 0;
    const moved = receiver.drainInto(this.#stream, maxBytes);
    if (receiver.isFinished && receiver.queuedBytes === 0 && !this.#isEnded) {
      this.#isEnded = true;
      this.#stream.end();
    }
    return moved;
  }

  destroy(reset: boolean): void {
    this.#stream?.destroy(reset);
    this.#stream = undefined;
  }
}
