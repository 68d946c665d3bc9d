import { readdirSync, readFileSync } from "node:fs";

/** A process as /proc tells of it. */
export interface ProcessEntry {
  pid: number;
  parentPid: number;
  group: number;
  command: string;
}

/** All processes that run: those that have ended and wait to be collected are none. */
export function livingProcesses(): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // proc(5): the name in parentheses may itself hold parentheses and spaces.
        const [state, parentPid, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        // Without a command line it is just ending, or the kernel's own.
        if (state === "Z" || state === "X" || command === "") return [];
        return [{ pid: Number(name), parentPid: Number(parentPid), group: Number(group), command }];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

/** A process and everything below it. */
export function familyOf(pid: number): ProcessEntry[] {
  const all = livingProcesses();
  const family = all.filter((entry) => entry.pid === pid);
  for (const member of family) {
    family.push(...all.filter((entry) => entry.parentPid === member.pid));
  }
  return family;
}
