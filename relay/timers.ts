import { type Due, DueHeap } from "./due-heap.ts";
import type { Host } from "./host.ts";

/** A timer that can be set again and again; to set it later than before costs nothing. */
export interface Timer {
  set(delayMs: number): void;
  stop(): void;
  readonly isSet: boolean;
}

/** `dueMs` is when it is looked at: at its deadline, or before that, when it was set later meanwhile. */
interface Entry extends Timer, Due {
  deadlineMs: number;
  fire(): void;
}

/**
 * All timers of the relay over one timer of the host. While the guest is paused its clock stands still: nothing is
 * sent again and nothing expires because of time that the guest did not have.
 */
export class Timers {
  readonly #host: Host;
  readonly #waiting = new DueHeap<Entry>();
  /** Their deadline is over, and they have not fired yet. */
  readonly #firing = new Set<Entry>();
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
    const firing = this.#firing;
    const entry: Entry = {
      deadlineMs: 0,
      dueMs: 0,
      place: -1,
      fire,
      set: (delayMs) => this.#set(entry, this.nowMs() + delayMs),
      stop: () => this.#stop(entry),
      get isSet() {
        return entry.place >= 0 || firing.has(entry);
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
    this.#firing.clear();
    this.#waiting.clear();
    this.#sleep();
  }

  #set(entry: Entry, deadlineMs: number): void {
    entry.deadlineMs = deadlineMs;
    this.#firing.delete(entry);
    if (entry.place >= 0 && deadlineMs >= entry.dueMs) return;
    entry.dueMs = deadlineMs;
    if (entry.place >= 0) this.#waiting.move(entry);
    else this.#waiting.add(entry);
    this.#wakeBy(deadlineMs);
  }

  #stop(entry: Entry): void {
    this.#firing.delete(entry);
    if (entry.place >= 0) this.#waiting.remove(entry);
    if (this.#waiting.first === undefined) this.#sleep();
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
    this.#takeDue(this.nowMs());
    // One that fires may stop another of them, or set it anew: then it is no longer here.
    for (const entry of this.#firing) {
      this.#firing.delete(entry);
      entry.fire();
    }
    this.#wakeForNext();
  }

  #takeDue(nowMs: number): void {
    for (let entry = this.#waiting.first; entry && entry.dueMs <= nowMs; ) {
      if (entry.deadlineMs > nowMs) {
        entry.dueMs = entry.deadlineMs;
        this.#waiting.move(entry);
      } else {
        this.#waiting.remove(entry);
        this.#firing.add(entry);
      }
      entry = this.#waiting.first;
    }
  }

  #wakeForNext(): void {
    const next = this.#waiting.first;
    if (next !== undefined) this.#wakeBy(next.dueMs);
  }
}
