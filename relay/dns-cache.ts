import type { DnsResult } from "./host.ts";

const MAX_ENTRIES = 2048;
const MAX_TTL_SECONDS = 3600;
/** Answers of "no", for which nobody tells us a TTL (RFC 2308, 5). */
const NEGATIVE_TTL_SECONDS = 10;
const FAILURE_TTL_SECONDS = 2;

interface Entry {
  result: DnsResult;
  storedAtMs: number;
  untilMs: number;
}

/** Answers by name and type, for as long as their TTL allows. */
export class DnsCache {
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** With the TTLs that are left. */
  get(key: string): DnsResult | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#nowMs();
    if (now >= entry.untilMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const age = Math.floor((now - entry.storedAtMs) / 1000);
    const records = entry.result.records.map((record) => ({
      ...record,
      ttlSeconds: Math.max(0, record.ttlSeconds - age),
    }));
    return { ...entry.result, records };
  }

  set(key: string, result: DnsResult): void {
    const now = this.#nowMs();
    this.#entries.delete(key);
    this.#entries.set(key, {
      result,
      storedAtMs: now,
      untilMs: now + lifetimeSeconds(result) * 1000,
    });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_ENTRIES) break;
      this.#entries.delete(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

function lifetimeSeconds({ status, records }: DnsResult): number {
  if (status === "failed") return FAILURE_TTL_SECONDS;
  if (records.length === 0) return NEGATIVE_TTL_SECONDS;
  return Math.min(MAX_TTL_SECONDS, ...records.map((record) => record.ttlSeconds));
}
