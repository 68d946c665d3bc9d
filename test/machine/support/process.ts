import { existsSync, readFileSync } from "node:fs";

/** False for a process that has ended, and for one that only waits for its parent to notice. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined || !existsSync(`/proc/${pid}`)) return false;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    // It ended in between.
    return false;
  }
}
