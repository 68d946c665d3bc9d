import type { Refusal } from "../../relay/index.ts";

/** What a guest wanted of the network and did not get, and how often. */
export interface CountedRefusal extends Refusal {
  count: number;
}

/** A guest can want without end: only so many different ones are told. */
const MAX_TARGETS = 32;

/** Collects refusals of a turn. */
export class Refusals {
  readonly #counted = new Map<string, CountedRefusal>();

  add({ protocol, target, reason }: Refusal): void {
    const isKnown = this.#counted.has(keyOf(protocol, target, reason));
    // The rest together, by reason.
    const shown = isKnown || this.#counted.size < MAX_TARGETS ? target : "others";
    const key = keyOf(protocol, shown, reason);
    const counted = this.#counted.get(key);
    if (counted === undefined) {
      this.#counted.set(key, { protocol, target: shown, reason, count: 1 });
    } else counted.count++;
  }

  take(): CountedRefusal[] {
    const counted = [...this.#counted.values()];
    this.#counted.clear();
    return counted;
  }
}

function keyOf(...parts: string[]): string {
  return parts.join(" ");
}
