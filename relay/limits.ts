/** What one guest may use of the computer that its relay runs on. */
export interface Limits {
  /** TCP connections at once, in every state but TIME_WAIT. */
  connections: number;
  /** Of these, the ones whose host side is still being connected. */
  connecting: number;
  /** New TCP connections and UDP flows a second, with a burst of three seconds' worth. */
  newFlowsPerSecond: number;
  /** UDP flows at once. */
  udpFlows: number;
  /** DNS questions that wait for the host's resolver. */
  pendingQueries: number;
  /** Bytes held for all connections together, both ways. */
  bufferBytes: number;
  /** Bytes held for one connection, each way. */
  connectionBufferBytes: number;
  /** Payload from the guest. */
  upBytesPerSecond: number;
  /** Payload to the guest. */
  downBytesPerSecond: number;
  /** Payload both ways until `Relay.resetQuota`. */
  totalBytes: number;
  connectTimeoutMs: number;
  udpIdleMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  connections: 512,
  connecting: 256,
  newFlowsPerSecond: 200,
  udpFlows: 256,
  pendingQueries: 128,
  bufferBytes: 64 * 1024 * 1024,
  connectionBufferBytes: 1024 * 1024,
  upBytesPerSecond: Number.POSITIVE_INFINITY,
  downBytesPerSecond: Number.POSITIVE_INFINITY,
  totalBytes: Number.POSITIVE_INFINITY,
  // Linux gives a SYN up after 127 s; the guest should be the one to say "timed out".
  connectTimeoutMs: 130_000,
  // RFC 4787, REQ-5: not below two minutes.
  udpIdleMs: 120_000,
};

/** A token bucket that may go into debt by one packet, so that no packet is ever too large to pass. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, burst: number, nowMs: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#nowMs = nowMs;
    this.#tokens = burst;
    this.#filledAtMs = nowMs();
  }

  /** Milliseconds until something may pass; 0 means now. */
  waitMs(): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0;
    this.#fill();
    return this.#tokens > 0 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond);
  }

  /** What may pass at once. */
  get available(): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return this.#perSecond;
    this.#fill();
    return Math.max(0, this.#tokens);
  }

  take(amount: number): void {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return;
    this.#fill();
    this.#tokens -= amount;
  }

  #fill(): void {
    const now = this.#nowMs();
    const grown = this.#tokens + ((now - this.#filledAtMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, grown);
    this.#filledAtMs = now;
  }
}

/** Memory that connections share. Whoever asks gets at most an eighth of what is free, so that others find some too. */
export class Budget {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** How much one connection may hold at this time. */
  share(wantedBytes: number, floorBytes: number): number {
    const free = Math.max(0, this.#limitBytes - this.#usedBytes);
    return Math.min(wantedBytes, Math.max(floorBytes, Math.floor(free / 8)));
  }

  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }
}
