import { once } from "node:events";
import { ImageError } from "./errors.ts";
import { aborted, startHelper } from "./process.ts";

/**
 * Hold a lock on a file, waiting for whoever has it. The kernel's lock (flock(2)) is held by a child that ends
 * with its standard input, so it goes when we go, however we go. Gives the function that
 * lets go of it.
 */
export async function lockFile(
  path: string,
  { signal, onWait }: { signal?: AbortSignal; onWait?: () => void } = {},
): Promise<() => Promise<void>> {
  const child = await startHelper("flock", ["--exclusive", path, "cat"]);
  const exited = once(child, "exit");
  const abort = signal === undefined ? undefined : once(signal, "abort");
  const waiting = setTimeout(() => onWait?.(), 1_000);
  // The helper echoes once it has the lock.
  child.stdin?.write("locked\n");
  const { stdout } = child;
  const echo = stdout === null ? exited : once(stdout, "data");
  const first = await Promise.race([
    echo.then(() => "locked" as const),
    exited.then(() => "failed" as const),
    ...(abort === undefined ? [] : [abort.then(() => "aborted" as const)]),
  ]).finally(() => clearTimeout(waiting));

  if (first === "aborted" && signal !== undefined) {
    child.kill();
    throw aborted(signal);
  }
  if (first !== "locked") throw new ImageError("BUILD_FAILED", `Cannot lock ${path}.`);
  return async () => {
    child.stdin?.end();
    await exited;
  };
}
