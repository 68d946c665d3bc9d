import type { RateLimitConfig } from "../workspace/config.ts";

interface Limit {
  perMinute: number;
  burst: number;
}

/** Slack's tiers, calls a minute. Source: https://docs.slack.dev/apis/web-api/rate-limits */
const TIERS = [1, 20, 50, 100] as const;
/** `chat.postMessage`: about one a second and channel, with short bursts. */
const POST_MESSAGE: Limit = { perMinute: 60, burst: 4 };
const AUTH_TEST: Limit = { perMinute: 600, burst: 600 };

const TIER_OF: Record<string, 1 | 2 | 3 | 4> = {
  "conversations.list": 2,
  "users.list": 2,
  "chat.startStream": 2,
  "reactions.remove": 2,
  "chat.update": 3,
  "chat.delete": 3,
  "chat.stopStream": 2,
  "conversations.history": 3,
  "conversations.replies": 3,
  "conversations.info": 3,
  "conversations.join": 3,
  "conversations.open": 3,
  "conversations.members": 4,
  "users.conversations": 3,
  "reactions.add": 3,
  "reactions.get": 3,
  "users.info": 4,
  "files.info": 4,
  "files.getUploadURLExternal": 4,
  "files.completeUploadExternal": 4,
  "chat.appendStream": 4,
  "chat.postEphemeral": 4,
  "team.info": 3,
  "bots.info": 3,
  "apps.connections.open": 1,
};
/** Tier 1 is one a minute "with bursts"; reconnecting clients need a few. */
const TIER_1_BURST = 20;

/** A token bucket for each method, and for each channel where Slack counts by channel. */
export class RateLimiter {
  readonly #config: RateLimitConfig | false;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(config: RateLimitConfig | false, now: () => number) {
    this.#config = config;
    this.#now = now;
  }

  /** Seconds to wait, or 0 when the call may go on. */
  take(method: string, channel: string): number {
    if (this.#config === false) return 0;
    const { perMinute, burst } = this.#limit(method);
    const key = method === "chat.postMessage" ? `${method} ${channel}` : method;
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: now };
    const refilled = Math.min(burst, bucket.tokens + ((now - bucket.atMs) * perMinute) / 60_000);
    const allowed = refilled >= 1;
    this.#buckets.set(key, { tokens: allowed ? refilled - 1 : refilled, atMs: now });
    return allowed ? 0 : Math.ceil(((1 - refilled) * 60) / perMinute);
  }

  #limit(method: string): Limit {
    const configured = this.#config ? this.#config.methods?.[method] : undefined;
    if (configured) return configured;
    if (method === "chat.postMessage") return POST_MESSAGE;
    if (method === "auth.test") return AUTH_TEST;
    const tier = TIER_OF[method] ?? 3;
    const perMinute = TIERS[tier - 1] ?? 50;
    return { perMinute, burst: tier === 1 ? TIER_1_BURST : perMinute };
  }
}
