import { Machine } from "../../../workers/machine/machine.ts";
import { machineConfig } from "../../config/index.ts";
import type { CliContext } from "../context.ts";
import { findGuest, startParameters } from "../guest.ts";

/** A machine in a fresh sandbox, for one command or terminal. Says what it waits for, where somebody looks. */
export async function startSandbox(context: CliContext): Promise<Machine> {
  const config = machineConfig(context.env);
  const guest = await findGuest(config);
  const isWatched = context.stderr.isTTY;
  if (isWatched) context.stderr.write("Starting a machine …");
  try {
    return await Machine.start(startParameters(config, guest));
  } finally {
    // Back to the start of the line and clear it: what follows is the command's own output.
    if (isWatched) context.stderr.write("\r\u001b[K");
  }
}
