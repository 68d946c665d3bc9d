import { ChunkQueue } from "./chunk-queue.ts";
import type { HostStream } from "./host.ts";
import type { Budget } from "./limits.ts";
import type { Segment } from "./tcp-segment.ts";
import { addSequence, sequenceDistance } from "./tcp-sequence.ts";

/** A window below this is offered only when a connection cannot have more. */
const MIN_SHARE_BYTES = 4096;
/**
 * The window at first; then twice what has come. Memory that is promised to one connection is none for the others, and
 * most never send more than a request.
 */
const FIRST_WINDOW_BYTES = 64 * 1024;
/** Bytes that may wait in the host's stream before the rest waits here, where small pieces are put together. */
const STREAM_BYTES = 256 * 1024;
const SMALL_WRITE_BYTES = 1024;
/** With a large MTU a guest may have room for no more than one segment, and would wait for a second in vain. */
const PROMPT_BYTES = 32 * 1024;
const MAX_UNSCALED_WINDOW = 0xffff;

export interface ReceiverOptions {
  /** First sequence number of data. */
  sequence: number;
  /** `undefined` when the guest does not scale windows. */
  windowScale: number | undefined;
  bufferBytes: number;
  /** Payload of a full segment of the guest's. */
  mssBytes: number;
  budget: Budget;
}

/**
 * The way from the guest to the host: the next byte expected, the window offered, what the host has not taken yet.
 *
 * A segment that arrives before its turn is dropped and answered with an acknowledgment, on which the guest sends
 * the missing one again. RFC 9293, 3.10.7.4 would rather have it kept; this wire neither reorders nor loses frames
 * of the guest's, so memory for it would only serve an attacker.
 */
export class TcpReceiver {
  readonly #options: ReceiverOptions;
  readonly #queue = new ChunkQueue();
  #next: number;
  /** First sequence number beyond the window offered. */
  #edge: number;
  #reservedBytes = 0;
  #receivedBytes = 0;
  #unacknowledgedBytes = 0;
  #finReceived = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#next = options.sequence;
    this.#edge = options.sequence;
  }

  get next(): number {
    return this.#next;
  }

  /** The guest has sent its last byte, and all bytes have come. */
  get isFinished(): boolean {
    return this.#finReceived;
  }

  get queuedBytes(): number {
    return this.#queue.length;
  }

  get #openBytes(): number {
    return sequenceDistance(this.#edge, this.#next);
  }

  /** Whether a segment touches what is expected (RFC 9293, 3.10.7.4, first check). */
  isAcceptable(segment: Segment, length: number): boolean {
    const ahead = sequenceDistance(segment.sequence, this.#next);
    return ahead <= this.#openBytes && ahead + Math.max(length, 1) > 0;
  }

  /**
   * Takes what is new of a segment. The returned view is for the host; `isOutOfOrder` when an earlier segment is
   * missing.
   */
  receive(segment: Segment, fin: boolean): { bytes: Uint8Array; isOutOfOrder: boolean } {
    const { payload } = segment;
    const ahead = sequenceDistance(segment.sequence, this.#next);
    if (ahead > 0 || this.#finReceived)
      return { bytes: payload.subarray(0, 0), isOutOfOrder: ahead > 0 };
    const bytes = payload.subarray(-ahead, -ahead + this.#openBytes);
    this.#next = addSequence(this.#next, bytes.length);
    this.#receivedBytes += bytes.length;
    this.#unacknowledgedBytes += bytes.length;
    if (fin && -ahead + bytes.length >= payload.length) {
      this.#finReceived = true;
      this.#next = addSequence(this.#next, 1);
      this.#edge = this.#next;
    }
    return { bytes, isOutOfOrder: false };
  }

  /** Bytes for the host, in order. */
  enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /** Hands on what the host's stream has room for; returns the number of bytes. */
  drainInto(stream: HostStream, maxBytes: number): number {
    let moved = 0;
    while (this.#queue.length > 0 && moved < maxBytes) {
      const waiting = stream.unsentBytes;
      const isSmall = this.#queue.length < SMALL_WRITE_BYTES;
      if (waiting >= STREAM_BYTES || (waiting > 0 && isSmall)) break;
      const chunk = this.#queue.shift();
      if (chunk === undefined) break;
      moved += chunk.length;
      stream.write(chunk);
    }
    return moved;
  }

  /** The first bytes that wait for the host, for those who judge them. */
  peek(maxBytes: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(maxBytes, this.#queue.length));
    this.#queue.copy(0, bytes.length, bytes, 0);
    return bytes;
  }

  /** Whether the window can be opened enough for the guest to be told (RFC 9293, 3.8.6.2.2). */
  canOpenWindow(unsentBytes: number): boolean {
    if (this.#finReceived) return false;
    const gained = sequenceDistance(this.#target(unsentBytes), this.#edge);
    const { bufferBytes, mssBytes } = this.#options;
    return gained >= Math.min(2 * mssBytes, bufferBytes >>> 1);
  }

  /** The window for a segment that is being sent, as it stands in its header. */
  offerWindow(unsentBytes: number, isScaled: boolean): number {
    const { windowScale = 0, mssBytes, bufferBytes } = this.#options;
    if (!this.#finReceived) {
      const target = this.#target(unsentBytes);
      const gained = sequenceDistance(target, this.#edge);
      const isWorthIt = gained >= Math.min(mssBytes, bufferBytes >>> 1);
      if (gained > 0 && isWorthIt) this.#edge = target;
    }
    this.account(unsentBytes);
    this.#unacknowledgedBytes = 0;
    return Math.min(MAX_UNSCALED_WINDOW, this.#openBytes >>> (isScaled ? windowScale : 0));
  }

  /** Enough has come that the guest should hear of it at the end of the batch (RFC 9293, 3.8.6.3). */
  get deservesAcknowledgment(): boolean {
    return this.#unacknowledgedBytes >= Math.min(2 * this.#options.mssBytes, PROMPT_BYTES);
  }

  get hasUnacknowledged(): boolean {
    return this.#unacknowledgedBytes > 0;
  }

  /** Tells the shared budget what this connection holds and has promised to take. */
  account(unsentBytes: number): void {
    const reserved = this.#openBytes + this.#queue.length + unsentBytes;
    this.#options.budget.add(reserved - this.#reservedBytes);
    this.#reservedBytes = reserved;
  }

  clear(): void {
    this.#queue.clear();
    this.#options.budget.add(-this.#reservedBytes);
    this.#reservedBytes = 0;
  }

  /** Where the window would end if it were told now. */
  #target(unsentBytes: number): number {
    const { bufferBytes, budget, windowScale } = this.#options;
    const cap =
      windowScale === undefined ? MAX_UNSCALED_WINDOW : MAX_UNSCALED_WINDOW << windowScale;
    const wanted = Math.min(bufferBytes, Math.max(FIRST_WINDOW_BYTES, 2 * this.#receivedBytes));
    const share = budget.share(wanted, MIN_SHARE_BYTES) - this.#queue.length - unsentBytes;
    return addSequence(this.#next, Math.max(0, Math.min(share, cap)));
  }
}

/** The smallest scale with which a buffer's size fits into the header's 16 bits (RFC 7323, 2.3). */
export function windowScaleFor(bufferBytes: number): number {
  let scale = 0;
  while (bufferBytes >>> scale > MAX_UNSCALED_WINDOW && scale < 14) scale++;
  return scale;
}
