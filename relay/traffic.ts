import { type Limits, TokenBucket } from "./limits.ts";

/** Payload that has gone through, and what may still go. */
export class Traffic {
  readonly up: TokenBucket;
  readonly down: TokenBucket;
  readonly #totalLimit: number;
  #countedBytes = 0;
  upBytes = 0;
  downBytes = 0;

  constructor(limits: Limits, nowMs: () => number) {
    this.up = bucketOf(limits.upBytesPerSecond, nowMs);
    this.down = bucketOf(limits.downBytesPerSecond, nowMs);
    this.#totalLimit = limits.totalBytes;
  }

  /** The total is used up. */
  get isSpent(): boolean {
    return this.#countedBytes >= this.#totalLimit;
  }

  onUp(bytes: number): void {
    this.upBytes += bytes;
    this.#countedBytes += bytes;
    this.up.take(bytes);
  }

  onDown(bytes: number): void {
    this.downBytes += bytes;
    this.#countedBytes += bytes;
    this.down.take(bytes);
  }

  /** Counts the total from zero again. */
  resetTotal(): void {
    this.#countedBytes = 0;
  }
}

/** A quarter of a second's worth at once, and at least a packet. */
function bucketOf(bytesPerSecond: number, nowMs: () => number): TokenBucket {
  return new TokenBucket(bytesPerSecond, Math.max(65_536, bytesPerSecond / 4), nowMs);
}
