import { isIPv4 } from "node:net";
import { nodeHost, Policy, Relay, TokenBucket } from "../../relay/index.ts";
import type { NetworkParameters, PingOutcome } from "./messages.ts";

/** Each is a process of this host's. */
const MAX_AT_ONCE = 4;
const MAX_PER_SECOND = 5;
const PING_TIMEOUT_MS = 4_000;

export interface OutsidePingsOptions {
  /** Of the machine that asks. */
  network: NetworkParameters;
  /** The system's own. Rejects where it cannot be asked. */
  ping(address: string, timeoutMs: number): Promise<boolean>;
  nowMs(): number;
}

/**
 * Sends pings for a machine, whose own process may start no program. What that asks for is believed in nothing: only
 * an address goes to `ping`, only one that the machine's policy opens, and few of them.
 */
export class OutsidePings {
  readonly #options: OutsidePingsOptions;
  /** For what it knows of the policy and of this host's addresses: no frame goes through it. */
  readonly #relay: Relay;
  readonly #rate: TokenBucket;
  #atOnce = 0;

  constructor(options: OutsidePingsOptions) {
    const { backend, rules, hostPorts } = options.network;
    const policy = backend === "relay" ? Policy.parse(rules, hostPorts) : Policy.none();
    this.#options = options;
    this.#relay = new Relay({ host: nodeHost(), policy, send: () => {} });
    this.#rate = new TokenBucket(MAX_PER_SECOND, MAX_PER_SECOND, options.nowMs);
  }

  async ask(address: unknown): Promise<PingOutcome> {
    if (typeof address !== "string" || !isIPv4(address)) return "refused";
    // One too many is lost on its way, as any ping may be.
    if (this.#atOnce >= MAX_AT_ONCE || this.#rate.waitMs() > 0) return "silent";
    this.#rate.take(1);
    this.#atOnce++;
    try {
      const { verdict } = await this.#relay.explain(address, 0, "icmp");
      if (verdict !== "allow") return "refused";
      return (await this.#options.ping(address, PING_TIMEOUT_MS)) ? "answered" : "silent";
    } catch {
      // No such program, or it is not permitted to: the guest hears that, too.
      return "refused";
    } finally {
      this.#atOnce--;
    }
  }
}
