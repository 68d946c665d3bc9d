import { MachineError } from "./api.ts";
import { MachineHost } from "./host.ts";
import type { Call, FromMachine } from "./messages.ts";

// Takes calls from the parent over IPC until the parent is gone.

let host: MachineHost | undefined;

function tell(message: FromMachine): void {
  process.send?.(message, undefined, undefined, () => {
    // A parent that is gone needs no answer; `disconnect` ends this process.
  });
}

function describe(error: unknown): { code: MachineError["code"]; message: string } {
  if (error instanceof MachineError) return { code: error.code, message: error.message };
  if (error instanceof Error && "code" in error) {
    const { code } = error;
    if (code === "ENOSPC" || code === "EDQUOT") {
      return { code: "NO_SPACE", message: `the disk of the computers is full (${code})` };
    }
  }
  console.error(error);
  return {
    code: "MACHINE_DIED",
    message: error instanceof Error ? error.message : String(error),
  };
}

async function answer(call: Call): Promise<unknown> {
  if (call.call === "start") {
    host = await MachineHost.start(call.in, tell);
    return { base: host.baseId };
  }
  if (call.call === "ping") return undefined;
  if (host === undefined) throw new MachineError("START_FAILED", "the machine is not started");
  return host.answer(call);
}

process.on("message", (call: Call) => {
  answer(call).then(
    (out) => tell({ answer: call.id, out }),
    (error) => tell({ answer: call.id, error: describe(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
// Ctrl-C at the terminal reaches the whole process group: the parent decides what it means.
process.on("SIGINT", () => {});
