import { sequenceDistance } from "./tcp-sequence.ts";

const INITIAL_MS = 1000;
/**
 * RFC 6298 says a second, for networks where sending too early adds to a jam. Here it costs one frame, and a guest
 * that compiles code may well need a third of a second for an answer.
 */
const MIN_MS = 400;
const MAX_MS = 30_000;

/** The time after which a segment is sent again (RFC 6298). */
export class RoundTrip {
  #smoothedMs: number | undefined;
  #variationMs = 0;
  #backoff = 1;
  /** The segment that is timed: its end, and when it was sent. */
  #timed: { end: number; sentAtMs: number } | undefined;

  get timeoutMs(): number {
    const base =
      this.#smoothedMs === undefined ? INITIAL_MS : this.#smoothedMs + 4 * this.#variationMs;
    return Math.min(MAX_MS, Math.max(MIN_MS, base) * this.#backoff);
  }

  onSend(end: number, nowMs: number): void {
    this.#timed ??= { end, sentAtMs: nowMs };
  }

  onAcknowledge(acknowledged: number, nowMs: number): void {
    this.#backoff = 1;
    if (this.#timed === undefined || sequenceDistance(acknowledged, this.#timed.end) < 0) return;
    const sample = nowMs - this.#timed.sentAtMs;
    this.#timed = undefined;
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = sample;
      this.#variationMs = sample / 2;
      return;
    }
    this.#variationMs += (Math.abs(this.#smoothedMs - sample) - this.#variationMs) / 4;
    this.#smoothedMs += (sample - this.#smoothedMs) / 8;
  }

  /** Karn's algorithm: what was sent twice tells no time. */
  onResend(): void {
    this.#timed = undefined;
  }

  onTimeout(): void {
    this.#timed = undefined;
    this.#backoff = Math.min(this.#backoff * 2, 64);
  }
}
