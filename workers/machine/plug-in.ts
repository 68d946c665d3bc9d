import type { Emulator } from "./emulator.ts";
import { type Network, type NetworkOptions, RelayNetwork } from "./network.ts";

/** The network that a machine's parameters name, behind its card. */
export function plugIn(emulator: Emulator, options: Omit<NetworkOptions, "card">): Network {
  const { parameters } = options;
  if (parameters.backend === "fetch") return emulator.fetchNetwork(parameters);
  return new RelayNetwork({ ...options, card: emulator.card });
}
