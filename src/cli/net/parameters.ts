import { readFileSync } from "node:fs";
import { INTERNET_RULES, Policy, PolicyError } from "../../../relay/index.ts";
import type { NetworkParameters } from "../../../workers/machine/messages.ts";
import { ConfigError, type NetworkConfig } from "../../config/index.ts";

/**
 * What a machine is told about its network: the rules themselves, since it can read no file of the operator's.
 * Throws `ConfigError` when the policy cannot be read or has a mistake.
 */
export function networkParameters(config: NetworkConfig): NetworkParameters {
  const { backend, hostPorts, nameServers, limits } = config;
  return {
    backend,
    rules: policyRules(config.policy),
    hostPorts,
    ...(nameServers === undefined ? {} : { nameServers }),
    limits,
  };
}

function policyRules(policy: NetworkConfig["policy"]): string {
  if (policy === "internet") return INTERNET_RULES;
  if (policy === "none") return "";
  const rules = readPolicy(policy);
  try {
    Policy.parse(rules);
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new ConfigError("CONFIG_INVALID", `MOM_NET_POLICY is ${policy}. ${cause.message}`, {
      cause,
    });
  }
  return rules;
}

function readPolicy(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new ConfigError(
      "CONFIG_INVALID",
      `MOM_NET_POLICY is neither “internet” nor “none”, and ${path} cannot be read (${code}).`,
      { cause },
    );
  }
}
