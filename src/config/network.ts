import { resolve } from "node:path";
import type { Environment } from "./environment.ts";
import { readSettings, type Settings } from "./settings.ts";

/** What guests may use of the network; a limit that is absent is none. The relay's own names. */
export interface NetworkLimits {
  connections: number;
  newFlowsPerSecond: number;
  udpFlows: number;
  upBytesPerSecond?: number;
  downBytesPerSecond?: number;
  /** In one turn, both ways. */
  totalBytes?: number;
}

export interface NetworkConfig {
  backend: Settings["MOM_NET"];
  /** `internet`, `none`, or the full path of a file of rules. */
  policy: string;
  /** Ports of the host's loopback that guests reach at 10.0.2.2. */
  hostPorts: readonly number[];
  /** Asked instead of the host's name servers. */
  nameServers: readonly string[] | undefined;
  limits: NetworkLimits;
}

/** Settings of the guests' network alone. Throws `ConfigError`. */
export function networkConfig(env: Environment): NetworkConfig {
  const set = readSettings(env, [
    "MOM_NET",
    "MOM_NET_POLICY",
    "MOM_NET_HOST_PORTS",
    "MOM_NET_DNS",
    "MOM_NET_CONNECTIONS",
    "MOM_NET_NEW_PER_SECOND",
    "MOM_NET_FLOWS",
    "MOM_NET_UP_KB_PER_S",
    "MOM_NET_DOWN_KB_PER_S",
    "MOM_NET_TURN_MB",
  ]);
  const limits: NetworkLimits = {
    connections: set.MOM_NET_CONNECTIONS,
    newFlowsPerSecond: set.MOM_NET_NEW_PER_SECOND,
    udpFlows: set.MOM_NET_FLOWS,
  };
  const { MOM_NET_UP_KB_PER_S: up, MOM_NET_DOWN_KB_PER_S: down, MOM_NET_TURN_MB: turn } = set;
  if (up !== undefined) limits.upBytesPerSecond = up * 1_000;
  if (down !== undefined) limits.downBytesPerSecond = down * 1_000;
  if (turn !== undefined) limits.totalBytes = turn * 1_000_000;
  return {
    backend: set.MOM_NET,
    policy: policyOf(set.MOM_NET_POLICY),
    hostPorts: set.MOM_NET_HOST_PORTS,
    nameServers: set.MOM_NET_DNS,
    limits,
  };
}

function policyOf(setting: string): string {
  return setting === "internet" || setting === "none" ? setting : resolve(setting);
}
