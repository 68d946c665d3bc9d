import type { Refusal } from "./access.ts";
import { TokenBucket } from "./limits.ts";

export interface RefusalLogOptions {
  nowMs(): number;
  /** `unlogged`: refusals since the last one written that were too many to be written. */
  write(refusal: Refusal, unlogged: number): void;
}

const PER_SECOND = 5;
const BURST = 50;

/** Lets so many refusals of one guest into a log that a guest which tries every port does not fill the disk. */
export class RefusalLog {
  readonly #options: RefusalLogOptions;
  readonly #bucket: TokenBucket;
  #unlogged = 0;

  constructor(options: RefusalLogOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(PER_SECOND, BURST, options.nowMs);
  }

  add(refusal: Refusal): void {
    if (this.#bucket.waitMs() > 0) {
      this.#unlogged++;
      return;
    }
    this.#bucket.take(1);
    this.#options.write(refusal, this.#unlogged);
    this.#unlogged = 0;
  }
}
