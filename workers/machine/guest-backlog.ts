/**
 * Half of the memory for TCP at which the guest's kernel comes under pressure (`tcp_mem` in images/debian/recipe.ts): then
 * its windows fall to a few kilobytes, and it drops what its programs have not read yet.
 */
const MOST_BYTES = 48 * 1024 * 1024;
/**
 * A guest that computes is never idle: it gets so much in this many of its instructions, if its windows allow it. Reading
 * takes curl half of them. Not in time: on a busy computer a guest that is not idle may just have got none.
 */
const PATIENCE_INSTRUCTIONS = 100_000_000;

/** What is to be known of the guest's processor. */
export interface GuestProcessor {
  /** It waits for an interrupt. */
  readonly isHalted: boolean;
  /** Since power-on, modulo 2³². */
  readonly instructions: number;
}

/**
 * What the guest may have got and not read. Its kernel takes and acknowledges what comes before its programs get to run,
 * so 200 downloads at once fill its memory, until it drops what is then sent again. Nothing tells how much waits in it;
 * but when its processor has nothing to do, whoever wanted to read has read.
 */
export class GuestBacklog {
  readonly #processor: GuestProcessor;
  #bytes = 0;
  /** Instructions when the bound was reached. */
  #fullAt = 0;

  constructor(processor: GuestProcessor) {
    this.#processor = processor;
  }

  /** Whether more may be sent; if not, to be asked again between two slices of the guest's time. */
  takesMore(): boolean {
    const isFull = this.#bytes >= MOST_BYTES;
    const { isHalted, instructions } = this.#processor;
    const hasWorked = isFull && (instructions - this.#fullAt) >>> 0 >= PATIENCE_INSTRUCTIONS;
    if (!isHalted && !hasWorked) return !isFull;
    this.clear();
    return true;
  }

  onSent(bytes: number): void {
    const before = this.#bytes;
    this.#bytes += bytes;
    if (before < MOST_BYTES && this.#bytes >= MOST_BYTES) {
      this.#fullAt = this.#processor.instructions;
    }
  }

  clear(): void {
    this.#bytes = 0;
  }
}
