import { constants } from "node:os";

/** A person or the system asked the command to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly code = "INTERRUPTED";
  /** 128 and the number of the signal, as shells count. */
  readonly exitStatus: number;

  constructor(reason: NodeJS.Signals) {
    super(`stopped by ${reason}`);
    this.exitStatus = 128 + constants.signals[reason];
  }
}

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Turns the first signal into an abort, so that a command can end in order; a second one ends the process at once.
 * A process started by another one of ours is tied to it by its IPC channel: when that closes, the other one is
 * gone, even by SIGKILL, and this one ends too.
 */
export function abortOnSignals(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: NodeJS.Signals) => {
    const interrupted = new Interrupted(reason);
    if (controller.signal.aborted) process.exit(interrupted.exitStatus);
    controller.abort(interrupted);
  };
  for (const name of stopSignals) process.on(name, () => stop(name));
  // A closed terminal or pipe: nobody reads any more. Without a listener the next line would be a crash.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => {
      if (!controller.signal.aborted) stop("SIGHUP");
    });
  }
  if (process.channel) {
    process.once("disconnect", () => stop("SIGHUP"));
    // The tie must not keep a command alive that is done.
    process.channel.unref();
  }
  return controller.signal;
}
