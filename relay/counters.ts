/**
 * Counts by reason: every frame dropped and every flow refused has one. Reasons are words of this program, never
 * the guest's, so the map is bounded.
 */
export class Counters {
  readonly #counts = new Map<string, number>();

  add(reason: string, amount = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + amount);
  }

  get(reason: string): number {
    return this.#counts.get(reason) ?? 0;
  }

  toRecord(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
