import type { NetworkParameters } from "../../../workers/machine/messages.ts";
import type { NetworkConfig } from "../../config/index.ts";
import { namedRules } from "./policy.ts";

/**
 * What a machine is told about its network: the rules themselves, since it can read no file of the operator's.
 * Throws `CliError` or `PolicyError` when the policy cannot be read or has a mistake.
 */
export function networkParameters(config: NetworkConfig): NetworkParameters {
  const { backend, policy, hostPorts, nameServers, limits } = config;
  return {
    backend,
    rules: namedRules(policy),
    hostPorts,
    ...(nameServers === undefined ? {} : { nameServers }),
    limits,
  };
}
