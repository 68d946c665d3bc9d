/** RFC 9293, 3.8.4: probes of a connection that has been silent, until they are answered or too many are not. */
const IDLE_MS = 600_000;
const INTERVAL_MS = 75_000;
const MAX_PROBES = 8;

export class TcpKeepAlive {
  #heardAtMs = 0;
  #probes = 0;

  onHeard(nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#probes = 0;
  }

  /** What is to be done now, and when to ask again. */
  next(nowMs: number): { action: "wait" | "probe" | "give up"; waitMs: number } {
    const idleMs = nowMs - this.#heardAtMs;
    if (idleMs < IDLE_MS) return { action: "wait", waitMs: IDLE_MS - idleMs };
    this.#probes++;
    return { action: this.#probes > MAX_PROBES ? "give up" : "probe", waitMs: INTERVAL_MS };
  }
}
