import { ChunkQueue } from "./chunk-queue.ts";
import type { Budget } from "./limits.ts";
import { RoundTrip } from "./tcp-round-trip.ts";
import { addSequence, sequenceDistance } from "./tcp-sequence.ts";

/** A piece of the stream that may go out now. */
export interface Piece {
  sequence: number;
  /** Bytes after the first unacknowledged one. */
  offset: number;
  length: number;
  fin: boolean;
  /** Nothing is waiting behind it. */
  isLast: boolean;
}

export interface SenderOptions {
  /** First sequence number of data. */
  sequence: number;
  /** Most payload of one segment. */
  mssBytes: number;
  /** Most payload handed out at once: a multiple of the MSS where the card cuts segments itself. */
  pieceBytes: number;
  budget: Budget;
}

/** Acknowledgments of the same byte that mean a loss (RFC 5681, 3.2). */
const DUPLICATES_OF_LOSS = 3;

/**
 * The way from the host to the guest: bytes not yet acknowledged, the guest's window, what to send again.
 *
 * A wire without a queue needs no congestion control, so only a loss sets a congestion window: from then on it
 * grows by what is acknowledged (RFC 5681 slow start) until it no longer matters. Recovery is NewReno's (RFC 6582),
 * without SACK: this wire loses frames only when the guest's receive ring was full.
 */
export class TcpSender {
  readonly #data = new ChunkQueue();
  readonly #budget: Budget;
  readonly #pieceBytes: number;
  readonly mssBytes: number;
  readonly roundTrip = new RoundTrip();
  /** First unacknowledged byte, next one to send, and the end of all that was ever sent. */
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #window = 0;
  #largestWindow = 0;
  /** Of the segment that told the window (RFC 9293, SND.WL1 and SND.WL2). */
  #windowSequence = 0;
  #windowAcknowledgment = 0;
  #congestionBytes = Number.POSITIVE_INFINITY;
  #duplicates = 0;
  /** Where a recovery ends. */
  #recoverUntil: number | undefined;
  #finQueued = false;
  #finAcknowledged = false;

  constructor(options: SenderOptions) {
    this.#budget = options.budget;
    this.mssBytes = options.mssBytes;
    this.#pieceBytes = options.pieceBytes;
    this.#unacknowledged = options.sequence;
    this.#next = options.sequence;
    this.#highest = options.sequence;
  }

  get next(): number {
    return this.#next;
  }

  get highest(): number {
    return this.#highest;
  }

  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  get window(): number {
    return this.#window;
  }

  /** Bytes of the host's that the guest has not acknowledged. */
  get bufferedBytes(): number {
    return this.#data.length;
  }

  get inFlight(): number {
    return sequenceDistance(this.#next, this.#unacknowledged);
  }

  /** The guest has acknowledged all, with FIN. */
  get isFinished(): boolean {
    return this.#finAcknowledged;
  }

  get isIdle(): boolean {
    return this.#highest === this.#unacknowledged && !this.hasUnsent;
  }

  /** Data or FIN that was never sent, or is to be sent again. */
  get hasUnsent(): boolean {
    return sequenceDistance(this.#streamEnd, this.#next) > 0;
  }

  /** @param release called when the guest has acknowledged all of the bytes, or nobody waits for them any more. */
  push(bytes: Uint8Array, release?: () => void): void {
    this.#data.push(bytes, release);
    this.#budget.add(bytes.length);
  }

  finish(): void {
    this.#finQueued = true;
  }

  copy(piece: Piece, target: Uint8Array, at: number): void {
    this.#data.copy(piece.offset, piece.length, target, at);
  }

  /** The next segment to send, or `undefined` while nothing may go out. */
  take(nowMs: number): Piece | undefined {
    const offset = this.inFlight;
    const waiting = this.#data.length - offset;
    const finWaits = this.#finWaits && waiting >= 0;
    if (waiting <= 0 && !finWaits) return undefined;
    const usable = Math.min(this.#window, this.#congestionBytes) - offset;
    let length = Math.min(waiting, usable, this.#pieceBytes);
    if (length <= 0 && !(finWaits && waiting === 0)) return undefined;
    length = Math.max(0, length);
    if (length < waiting && length > this.mssBytes) length -= length % this.mssBytes;
    const isLast = length === waiting;
    if (length < this.mssBytes && !(isLast && finWaits) && this.#shouldWait(length, isLast, offset))
      return undefined;
    return this.#send(offset, length, isLast && finWaits, isLast, nowMs);
  }

  /** One byte against a closed window (RFC 9293, 3.8.6.1), or what was lost. */
  takeFirst(nowMs: number): Piece | undefined {
    const limit = Math.max(1, Math.min(this.#window, this.mssBytes));
    const length = Math.min(this.#data.length, limit);
    const isLast = length === this.#data.length;
    const fin = isLast && this.#finWaits;
    if (length === 0 && !fin) return undefined;
    const ahead = this.#next;
    this.#next = this.#unacknowledged;
    const piece = this.#send(0, length, fin, isLast, nowMs);
    if (sequenceDistance(ahead, this.#next) > 0) this.#next = ahead;
    this.roundTrip.onResend();
    return piece;
  }

  /**
   * Takes an acknowledgment that is not beyond what was sent. `carriesData` tells a segment of the guest's own from
   * a bare acknowledgment. Says how many bytes left the buffer, and whether the first segment was lost.
   */
  acknowledge(
    segment: { sequence: number; acknowledgment: number },
    windowBytes: number,
    carriesData: boolean,
    nowMs: number,
  ): { freed: number; isLost: boolean; isNew: boolean } {
    const advance = sequenceDistance(segment.acknowledgment, this.#unacknowledged);
    const sameWindow = windowBytes === this.#window;
    this.#updateWindow(segment, windowBytes);
    if (advance <= 0) {
      const isBare = !carriesData && sameWindow && windowBytes > 0;
      const isDuplicate = advance === 0 && isBare && this.#highest !== this.#unacknowledged;
      if (!isDuplicate) return { freed: 0, isLost: false, isNew: false };
      this.#duplicates++;
      const isLost = this.#duplicates === DUPLICATES_OF_LOSS && this.#recoverUntil === undefined;
      if (isLost) this.#startRecovery();
      return { freed: 0, isLost, isNew: false };
    }
    const freed = Math.min(advance, this.#data.length);
    if (advance > freed) this.#finAcknowledged = true;
    this.#data.consume(freed);
    this.#budget.add(-freed);
    this.#unacknowledged = segment.acknowledgment;
    if (sequenceDistance(this.#unacknowledged, this.#next) > 0) this.#next = this.#unacknowledged;
    this.#duplicates = 0;
    this.#congestionBytes += advance;
    this.roundTrip.onAcknowledge(segment.acknowledgment, nowMs);
    return { freed, isLost: this.#continueRecovery(), isNew: true };
  }

  /** Nothing was acknowledged in time: begin anew at the first byte that was not (RFC 6298, 5.4 to 5.7). */
  onTimeout(): void {
    this.roundTrip.onTimeout();
    this.#next = this.#unacknowledged;
    // A closed window is no loss.
    if (this.#window === 0) return;
    this.#congestionBytes = 2 * this.mssBytes;
    this.#recoverUntil = undefined;
    this.#duplicates = 0;
  }

  /** Gives the memory back. */
  clear(): void {
    this.#budget.add(-this.#data.length);
    this.#data.clear();
  }

  get #end(): number {
    return addSequence(this.#unacknowledged, this.#data.length);
  }

  get #finWaits(): boolean {
    return this.#finQueued && !this.#finAcknowledged;
  }

  get #streamEnd(): number {
    return this.#finWaits ? addSequence(this.#end, 1) : this.#end;
  }

  #send(offset: number, length: number, fin: boolean, isLast: boolean, nowMs: number): Piece {
    const sequence = this.#next;
    this.#next = addSequence(sequence, length + (fin ? 1 : 0));
    if (sequenceDistance(this.#next, this.#highest) > 0) {
      this.#highest = this.#next;
      this.roundTrip.onSend(this.#next, nowMs);
    } else this.roundTrip.onResend();
    return { sequence, offset, length, fin, isLast };
  }

  /** Fewer and larger segments, which is what a guest's time goes into. */
  #shouldWait(length: number, isLast: boolean, inFlight: number): boolean {
    if (inFlight === 0)
      return length < this.mssBytes && !isLast && length * 2 < this.#largestWindow;
    // The rest of a large transfer waits for more: an acknowledgment is on its way (after Nagle, RFC 896).
    if (isLast) return inFlight >= 2 * this.mssBytes;
    // Silly window avoidance (RFC 9293, 3.8.6.2.1).
    return length * 2 < this.#largestWindow;
  }

  #updateWindow(segment: { sequence: number; acknowledgment: number }, windowBytes: number): void {
    const sequenceAhead = sequenceDistance(segment.sequence, this.#windowSequence);
    const isNewer =
      sequenceAhead > 0 ||
      (sequenceAhead === 0 &&
        sequenceDistance(segment.acknowledgment, this.#windowAcknowledgment) >= 0);
    if (!isNewer && this.#largestWindow > 0) return;
    this.#window = windowBytes;
    this.#largestWindow = Math.max(this.#largestWindow, windowBytes);
    this.#windowSequence = segment.sequence;
    this.#windowAcknowledgment = segment.acknowledgment;
  }

  #startRecovery(): void {
    this.#recoverUntil = this.#highest;
    this.#congestionBytes = Math.max(this.inFlight >>> 1, 4 * this.mssBytes);
  }

  /** A partial acknowledgment: the next hole is lost too. */
  #continueRecovery(): boolean {
    if (this.#recoverUntil === undefined) return false;
    if (sequenceDistance(this.#unacknowledged, this.#recoverUntil) < 0) return true;
    this.#recoverUntil = undefined;
    return false;
  }
}
