import { existsSync } from "node:fs";
import type { Environment } from "../../config/environment.ts";
import { CliError } from "../errors.ts";
import { findProgram, runTool } from "../processes.ts";

/** How packages of the system can be installed here: the words in front of `apt-get`, or why they cannot. */
export type AptAccess = { prefix: readonly string[] } | { problem: string };

export function aptAccess(env: Environment, uid: number | undefined): AptAccess {
  if (!findProgram("apt-get", env)) return { problem: "this machine has no apt-get" };
  if (uid === 0) return { prefix: [] };
  // `-n`: without a password; nobody may be there to type one.
  if (findProgram("sudo", env)) return { prefix: ["sudo", "-n"] };
  return { problem: "installing packages needs root, and there is no sudo" };
}

/**
 * Installs Debian packages: nothing recommended, no question asked, waiting for another apt that runs.
 * Services in them are neither started nor switched on: Mom starts its own processes.
 */
export async function aptInstall(
  packages: readonly string[],
  access: { prefix: readonly string[] },
  options: { env: Environment; report: (detail: string) => void; signal: AbortSignal },
): Promise<void> {
  const { report, signal } = options;
  const apt = (args: readonly string[], stop?: AbortSignal) => {
    const [command = "env", ...rest] = [...access.prefix, "env", ...quietly, "apt-get", ...args];
    return runTool(command, rest, {
      env: options.env,
      onLine: (line) => report(line.slice(0, 100)),
      ...(stop ? { signal: stop } : {}),
    });
  };
  try {
    await withOneUpdate(
      () => apt([...lockAndRetry, "install", "--download-only", ...plain, ...packages], signal),
      () => apt([...lockAndRetry, "update"], signal),
    );
    // No signal here: an interrupted dpkg leaves the system's packages half configured.
    report("unpacking");
    await apt([...lockAndRetry, "install", ...plain, ...packages]);
    if (packages.includes("redis-server")) await switchOffRedis(access, options);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(
      "PROGRAM_FAILED",
      `The packages ${packages.join(", ")} could not be installed. ${error.message}`,
      { cause: error },
    );
  }
  signal.throwIfAborted();
}

// RUNLEVEL: what invoke-rc.d asks before it starts a service (runlevel(8)).
// SYSTEMD_OFFLINE: systemctl then talks to no running systemd, so that a package starts nothing.
const quietly = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1"];
const lockAndRetry = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
const plain = ["--yes", "--no-install-recommends"];

/** The index of a fresh machine is empty, and that of an old one names versions that are gone. */
async function withOneUpdate(attempt: () => Promise<void>, update: () => Promise<void>) {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    await update();
    await attempt();
  }
}

/** Debian's package switches the system's Redis on for the next boot; nobody here asked for that one. */
async function switchOffRedis(
  access: { prefix: readonly string[] },
  options: { env: Environment },
): Promise<void> {
  const commands = [
    ["/bin/systemctl", "disable", "--quiet", "redis-server.service"],
    ["/usr/sbin/update-rc.d", "redis-server", "disable"],
  ];
  for (const [command = "", ...args] of commands) {
    if (!existsSync(command)) continue;
    const [first = "env", ...rest] = [...access.prefix, "env", ...quietly, command, ...args];
    await runTool(first, rest, { env: options.env });
  }
}
