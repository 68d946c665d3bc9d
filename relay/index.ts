export type { Refusal } from "./access.ts";
export { type Forward, type ForwardOptions, type ForwardPlace, forward } from "./forward.ts";
export type * from "./host.ts";
export { DEFAULT_LIMITS, type Limits, TokenBucket } from "./limits.ts";
export { type NodeHostOptions, nodeHost } from "./node-host.ts";
export { ping } from "./node-ping.ts";
export { INTERNET_RULES, Policy, type PolicyOptions } from "./policy.ts";
export type { AddressExplanation, Explanation } from "./policy-explain.ts";
export { RefusalLog, type RefusalLogOptions } from "./refusal-log.ts";
export {
  DEFAULT_ADDRESSES,
  type Offload,
  Relay,
  type RelayAddresses,
  type RelayOptions,
  type RelayStats,
} from "./relay.ts";
export { PolicyError, type Protocol, parseRules, type Rule } from "./rules.ts";
export type { SavedFlow } from "./tcp-services.ts";
export type { FrameInfo, SendFrame } from "./wire.ts";
