import type { Host } from "./host.ts";

/** A timer that can be set again and again; to set it later than before costs nothing. */
export interface Timer {
  set(delayMs: number): void;
  stop(): void;
  readonly isSet: boolean;
}

interface Entry extends Timer {
  deadlineMs: number;
  fire(): void;
}

/**
 * All timers of the relay over one timer of the host. While the guest is paused its clock stands still: nothing is
 * sent again and nothing expires because of time that the guest did not have.
 */
export class Timers {
  readonly #host: Host;
  readonly #active = new Set<Entry>();
  #cancel: (() => void) | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #pausedAtMs: number | undefined;
  #skippedMs = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Milliseconds in which the guest could run. */
  nowMs(): number {
    return (this.#pausedAtMs ?? this.#host.nowMs()) - this.#skippedMs;
  }

  create(fire: () => void): Timer {
    const timers = this;
    const entry: Entry = {
      deadlineMs: Number.POSITIVE_INFINITY,
      fire,
      set(delayMs) {
        entry.deadlineMs = timers.nowMs() + delayMs;
        timers.#active.add(entry);
        timers.#wakeBy(entry.deadlineMs);
      },
      stop() {
        timers.#active.delete(entry);
        if (timers.#active.size === 0) timers.#sleep();
      },
      get isSet() {
        return timers.#active.has(entry);
      },
    };
    return entry;
  }

  pause(): void {
    this.#pausedAtMs ??= this.#host.nowMs();
    this.#sleep();
  }

  resume(): void {
    if (this.#pausedAtMs === undefined) return;
    this.#skippedMs += this.#host.nowMs() - this.#pausedAtMs;
    this.#pausedAtMs = undefined;
    this.#wakeForNext();
  }

  /** Forgets all timers. */
  clear(): void {
    this.#active.clear();
    this.#sleep();
  }

  get size(): number {
    return this.#active.size;
  }

  #wakeBy(deadlineMs: number): void {
    if (this.#pausedAtMs !== undefined || deadlineMs >= this.#wakeAtMs) return;
    this.#sleep();
    this.#wakeAtMs = deadlineMs;
    this.#cancel = this.#host.setTimer(Math.max(0, deadlineMs - this.nowMs()), () => this.#wake());
  }

  #sleep(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    this.#cancel = undefined;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    const now = this.nowMs();
    const due: Entry[] = [];
    for (const entry of this.#active) if (entry.deadlineMs <= now) due.push(entry);
    for (const entry of due) {
      // One that fired before may have stopped this one, or set it anew.
      if (entry.deadlineMs <= now && this.#active.delete(entry)) entry.fire();
    }
    this.#wakeForNext();
  }

  #wakeForNext(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#active) next = Math.min(next, entry.deadlineMs);
    if (next < Number.POSITIVE_INFINITY) this.#wakeBy(next);
  }
}
