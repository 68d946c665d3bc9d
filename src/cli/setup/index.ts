import type { Environment } from "../../config/environment.ts";
import { CliError } from "../errors.ts";
import type { Step } from "../steps.ts";
import { aptAccess, aptInstall } from "./apt.ts";
import { commandFor, missingNeeds, type Need, type Purpose } from "./needs.ts";

export type { Purpose } from "./needs.ts";

export interface SetupOptions {
  purposes: readonly Purpose[];
  /** `false`: only name what is missing. */
  install: boolean;
  env: Environment;
  stderr: NodeJS.WriteStream;
  signal: AbortSignal;
}

/**
 * The step that installs what is missing of the system; none when nothing is. The packages are listed before
 * anything is installed. Throws `CliError` `MISSING` where Mom may not or cannot install them.
 */
export function systemPackagesStep(options: SetupOptions): Step[] {
  const missing = missingNeeds(options.purposes, options.env);
  if (missing.length === 0) return [];
  const access = aptAccess(options.env, process.getuid?.());
  const problem = "problem" in access ? access.problem : undefined;
  if (!options.install || "problem" in access) {
    throw new CliError("MISSING", missingText(missing, problem));
  }
  const packages = missing.map((need) => need.debian);
  options.stderr.write(`Debian packages to install: ${packages.join(", ")}\n`);
  return [
    {
      title: `Debian packages ${packages.join(", ")}`,
      run: async (report) => {
        await aptInstall(packages, access, { ...options, report });
        const still = missingNeeds(options.purposes, options.env);
        if (still.length > 0) throw new CliError("MISSING", missingText(still, undefined));
        return undefined;
      },
    },
  ];
}

/** Each missing thing with the command that brings it. */
export function missingText(missing: readonly Need[], problem: string | undefined): string {
  const why = problem ? `, and ${problem}` : "";
  return [
    `Missing on this machine${why}:`,
    ...missing.map((need) => `  ${need.debian}, needed ${need.why}: ${commandFor(need)}`),
  ].join("\n");
}
