/** Bounds on what is open, of one name and in all. */
export interface OpenLimits {
  ofName: number;
  inAll: number;
}

/** What is open, by name, and how to end it. */
export class OpenRequests {
  readonly #limits: OpenLimits;
  readonly #byName = new Map<string, Set<() => void>>();
  #count = 0;

  constructor(limits: OpenLimits) {
    this.#limits = limits;
  }

  /** Says how to tell that it is over; `undefined` when there is no room. */
  enter(name: string, end: () => void): (() => void) | undefined {
    const open = this.#byName.get(name) ?? new Set();
    if (this.#count >= this.#limits.inAll || open.size >= this.#limits.ofName) return undefined;
    this.#byName.set(name, open.add(end));
    this.#count++;
    return () => {
      if (!open.delete(end)) return;
      this.#count--;
      if (open.size === 0) this.#byName.delete(name);
    };
  }

  get names(): string[] {
    return [...this.#byName.keys()];
  }

  end(name: string): void {
    for (const end of [...(this.#byName.get(name) ?? [])]) end();
  }
}
