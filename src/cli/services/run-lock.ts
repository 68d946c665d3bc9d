import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { CliError } from "../errors.ts";

/**
 * Makes sure that one process at a time uses a folder: a file with the id of the one that does. A file that a
 * killed process has left behind does not count.
 *
 * Throws `CliError` `BUSY`.
 */
export function takeRunLock(path: string, what: string): { release(): void } {
  mkdirSync(dirname(path), { recursive: true });
  // Twice: the first attempt may find the file of a process that is gone.
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
      const release = () => rmSync(path, { force: true });
      process.once("exit", release);
      return {
        release: () => {
          process.off("exit", release);
          release();
        },
      };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      const pid = ownerOf(path);
      if (attempt > 0 || (pid !== undefined && isMom(pid))) {
        throw new CliError(
          "BUSY",
          `${what} runs already${pid ? ` (process ${pid})` : ""}: end it first, or set MOM_DATA_DIR to another folder.`,
          { cause: error },
        );
      }
      rmSync(path, { force: true });
    }
  }
}

function ownerOf(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The id may have gone to another program meanwhile; where /proc tells, it is asked. */
function isMom(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("src/cli/main.js");
  } catch {
    return true;
  }
}
