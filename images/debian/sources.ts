import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ImageError } from "../errors.ts";
import { run } from "../process.ts";
import { ARCHITECTURE, SUITE } from "./recipe.ts";

/** Where Debian's packages come from: what this machine's own apt uses, for the image's suite. */
export interface DebianSources {
  /** Lines for sources.list; none leaves the mirror to mmdebstrap. */
  lines: string[];
  /** One more, where its index can be had. */
  security?: SecuritySource;
  warnings: string[];
}

export interface SecuritySource {
  line: string;
  /** What the addresses of all its files begin with. */
  repository: string;
}

export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Labels in the Release files of Debian's archives. */
const DEBIAN = "Debian";
const SECURITY = "Debian-Security";

/** A mirror that is being updated is right again in seconds, or not today. */
const SECURITY_PAUSES_MS = [1_000, 3_000];

interface AptIndex {
  origin: string;
  label: string;
  repository: string;
}

/**
 * Debian's mirrors from this machine's apt, other vendors' left out. The security suite is tried, and left out
 * with a warning when its index does not match its Release file: an image without it is better than none.
 */
export async function findSources(options: {
  workDir: string;
  signal?: AbortSignal;
  onNote(text: string): void;
  /** How long to wait before each further try of the security suite. */
  pausesMs?: readonly number[];
}): Promise<DebianSources> {
  const { workDir, signal, onNote, pausesMs = SECURITY_PAUSES_MS } = options;
  const indexes = await aptIndexes(workDir, signal);
  const main = repositoryOf(indexes, DEBIAN);
  if (main === undefined) {
    return { lines: [], warnings: ["apt knows no Debian mirror here: mmdebstrap's own is used"] };
  }
  const line = (uri: string, suite: string) => `deb [signed-by=${KEYRING}] ${uri} ${suite} main`;
  const lines = [line(main, SUITE), line(main, `${SUITE}-updates`)];
  const security = repositoryOf(indexes, SECURITY);
  if (security === undefined) {
    return { lines, warnings: ["apt knows no Debian security mirror here: no security updates"] };
  }

  const securityLine = line(security, `${SUITE}-security`);
  for (const pauseMs of [...pausesMs, undefined]) {
    const reason = await tryUpdate(join(workDir, "apt-security"), securityLine, signal);
    if (reason === undefined) {
      return { lines, security: { line: securityLine, repository: security }, warnings: [] };
    }
    if (pauseMs === undefined) {
      const warning = `built without the security suite, whose index cannot be had now: ${reason}`;
      return { lines, warnings: [warning] };
    }
    onNote(`the security suite's index cannot be had (${reason}), trying again`);
    await sleep(pauseMs, undefined, { signal });
  }
  return { lines, warnings: [] };
}

/**
 * What is installed from these sources; where a file of the security suite cannot be had, although its index could, once
 * more without it.
 */
export async function installFrom<Tree>(
  { lines, security }: DebianSources,
  install: (lines: string[]) => Promise<Tree>,
  onWarning: (warning: string) => void,
): Promise<{ tree: Tree; lines: string[] }> {
  if (security !== undefined) {
    const all = [...lines, security.line];
    try {
      return { tree: await install(all), lines: all };
    } catch (error) {
      const missing = missingFile(error, security.repository);
      if (missing === undefined) throw error;
      onWarning(`built without the security suite, whose files cannot be had now: ${missing}`);
    }
  }
  return { tree: await install(lines), lines };
}

/** What apt says of a file that it could not fetch from a repository. */
function missingFile(error: unknown, repository: string): string | undefined {
  if (!(error instanceof ImageError)) return undefined;
  const start = `E: Failed to fetch ${repository}`;
  return error.message
    .split("\n")
    .find((line) => line.startsWith(start))
    ?.replace("E: Failed to fetch ", "");
}

/** apt's settings for getting at the network here (proxies, checks), to go on with in the new tree. */
export async function aptNetworkOptions(signal?: AbortSignal): Promise<string[]> {
  const dump = (
    await run("apt-config", ["dump", "--format", '%F "%v"%n', "Acquire"], withSignal(signal))
  ).toString();
  return dump.split("\n").filter((line) => {
    const name = line.split(" ", 1)[0] ?? "";
    return (
      !line.endsWith(' ""') &&
      /^Acquire::((http|https|ftp)::(Proxy|CaInfo|Timeout)\b|Check-Date$|Check-Valid-Until$)/i.test(
        name,
      )
    );
  });
}

async function aptIndexes(workDir: string, signal?: AbortSignal): Promise<AptIndex[]> {
  const known = await listIndexes([], signal);
  if ([DEBIAN, SECURITY].every((label) => repositoryOf(known, label) !== undefined)) return known;
  // apt knows a source by its index, and this machine has not fetched all of them: get them in a place of our own. One suite
  // that fails, which apt counts as a failure of the whole, does not matter here: what came of the others is listed.
  const state = await aptFolders(join(workDir, "apt-lists"));
  await run("apt-get", ["-qq", "update", ...state], withSignal(signal)).catch((error: unknown) => {
    const isPartial = error instanceof ImageError && error.code === "BUILD_FAILED";
    if (!isPartial) throw error;
  });
  return [...known, ...(await listIndexes(state, signal))];
}

function repositoryOf(indexes: readonly AptIndex[], label: string): string | undefined {
  return indexes.find((index) => index.origin === "Debian" && index.label === label)?.repository;
}

async function listIndexes(state: string[], signal?: AbortSignal): Promise<AptIndex[]> {
  const format = "$(ORIGIN)\t$(LABEL)\t$(REPO_URI)\t$(COMPONENT)";
  const args = ["indextargets", ...state, "--format", format, "Identifier: Packages"];
  const output = (await run("apt-get", args, withSignal(signal))).toString();
  return output.split("\n").flatMap((row) => {
    const [origin = "", label = "", repository = "", component] = row.split("\t");
    return component === "main" ? [{ origin, label, repository }] : [];
  });
}

/** Why the lists of a source cannot be had, or nothing when they can. */
async function tryUpdate(
  folder: string,
  line: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const state = await aptFolders(folder);
  const list = join(folder, "sources.list");
  await writeFile(list, `${line}\n`);
  const errors: string[] = [];
  const args = [
    "-qq",
    "update",
    "--error-on=any",
    ...state,
    ...[`Dir::Etc::SourceList=${list}`, "Dir::Etc::SourceParts=/dev/null"].flatMap((o) => [
      "-o",
      o,
    ]),
    ...[`APT::Architecture=${ARCHITECTURE}`, `APT::Architectures=${ARCHITECTURE}`].flatMap((o) => [
      "-o",
      o,
    ]),
  ];
  try {
    await run("apt-get", args, {
      ...withSignal(signal),
      onStderrLine: (text) => errors.push(text),
    });
    return undefined;
  } catch (error) {
    if (signal?.aborted) throw error;
    const first = errors.find((text) => text.startsWith("E: ")) ?? String(error);
    return /File has unexpected size|Hash Sum mismatch/.exec(first)?.[0] ?? first;
  }
}

async function aptFolders(folder: string): Promise<string[]> {
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  return [
    `Dir::State::Lists=${join(folder, "lists")}`,
    `Dir::Cache=${join(folder, "cache")}`,
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
}

function withSignal(signal?: AbortSignal): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
