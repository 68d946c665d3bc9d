import type { Ipv4 } from "./address.ts";

/** Programs keep an address much longer than its TTL says. */
const MIN_KEEP_MS = 3_600_000;
const MAX_ADDRESSES = 4096;
const MAX_NAMES = 32;

/** Which names our DNS gave an address for: a connection to it may claim to be for these and no others. */
export class AnsweredNames {
  readonly #nowMs: () => number;
  /** By address, the one asked for longest ago first; names with the time at which they are forgotten. */
  readonly #names = new Map<Ipv4, Map<string, number>>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(address: Ipv4, name: string, ttlSeconds: number): void {
    const names = this.#names.get(address) ?? new Map<string, number>();
    this.#names.delete(address);
    this.#names.set(address, names);
    names.delete(name);
    names.set(name, this.#nowMs() + Math.max(MIN_KEEP_MS, ttlSeconds * 1000));
    dropFirst(names, MAX_NAMES);
    dropFirst(this.#names, MAX_ADDRESSES);
  }

  of(address: Ipv4): string[] {
    const now = this.#nowMs();
    const names = this.#names.get(address) ?? new Map<string, number>();
    return [...names].filter(([, until]) => until > now).map(([name]) => name);
  }

  clear(): void {
    this.#names.clear();
  }
}

function dropFirst(map: Map<unknown, unknown>, maxSize: number): void {
  for (const key of map.keys()) {
    if (map.size <= maxSize) return;
    map.delete(key);
  }
}
