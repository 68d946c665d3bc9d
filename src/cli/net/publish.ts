import type { Machine } from "../../../workers/machine/machine.ts";
import type { PublishedPort } from "../../../workers/machine/messages.ts";

/** Joins ports of this computer to ports of the sandbox, and says so. Throws `MachineError`. */
export async function publish(
  machine: Machine,
  ports: readonly PublishedPort[],
  stderr: NodeJS.WriteStream,
): Promise<void> {
  for (const asked of ports) {
    const { address, port, guestPort } = await machine.publish(asked);
    stderr.write(`mom: ${address}:${port} leads to port ${guestPort} of the sandbox.\n`);
  }
}
