import type { Guest } from "./guest.ts";

/** Every program that turns of this sandbox started is below this cgroup, and so are the two that are ours. */
const COUNT = "read -r n </sys/fs/cgroup/mom/pids.current && echo $n";
/** The resident shell, and the one that counts. */
const OURS = 2;
const COUNT_DEADLINE_MS = 30_000;

/** Processes and threads that turns left in the background. None for a guest that cannot say. */
export async function countPrograms(guest: Guest): Promise<number> {
  const { stdout } = await guest.runApart(COUNT, undefined, COUNT_DEADLINE_MS);
  return Math.max(0, Number.parseInt(Buffer.from(stdout).toString(), 10) - OURS || 0);
}
