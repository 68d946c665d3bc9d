import { Policy } from "../../../relay/index.ts";
import type { NetworkParameters } from "../../../workers/machine/messages.ts";
import { type Environment, networkConfig } from "../../config/index.ts";
import { networkParameters } from "./parameters.ts";

export interface NetworkOptions {
  /** `--policy`: what MOM_NET_POLICY would say. */
  policy?: string;
  /** `--host-port`: what MOM_NET_HOST_PORTS would say, where there is any. */
  hostPort: readonly number[];
}

/** The settings of the guests' network, with a command's options before them. Throws `ConfigError`. */
export function networkWith(env: Environment, options: NetworkOptions): NetworkParameters {
  const { policy, hostPort } = options;
  const config = networkConfig({
    ...env,
    ...(policy === undefined ? {} : { MOM_NET_POLICY: policy }),
    ...(hostPort.length === 0 ? {} : { MOM_NET_HOST_PORTS: hostPort.join(",") }),
  });
  return networkParameters(config);
}

export function policyOf({ backend, rules, hostPorts }: NetworkParameters): Policy {
  return backend === "none" ? Policy.none() : Policy.parse(rules, hostPorts);
}
