import { join } from "node:path";
import { ImageError } from "../errors.ts";
import { NATIVE_TOOLS, runsI386Programs, WITH_QEMU } from "../i386-programs.ts";
import { run, stream } from "../process.ts";
import { ARCHITECTURE, EXCLUDED, KERNEL_FLAVOUR, PACKAGES, SUITE } from "./recipe.ts";
import { aptNetworkOptions, KEYRING } from "./sources.ts";

/**
 * Debian's root tree as a tar stream, straight out of mmdebstrap. It is installed in a folder below `workDir`,
 * which is gone when the stream ends.
 */
export async function* debianRoot(options: {
  workDir: string;
  recipeDir: string;
  sourceLines: readonly string[];
  signal?: AbortSignal;
  onStage(stage: string, fraction: number): void;
}): AsyncGenerator<Uint8Array> {
  const { workDir, signal, onStage } = options;
  if (process.getuid?.() !== 0) {
    throw new ImageError(
      "NOT_ROOT",
      "Building the image needs root, because packages are installed into a tree of their own. " +
        "Run it with sudo, or build with --rootfs FILE from a root tarball.",
    );
  }
  // Through setpriv a missing tool would only be a status.
  await run("mmdebstrap", ["--version"]);
  const surroundings = runsI386Programs() ? itsOwn() : byQemu();
  const aptOptions = [
    // The tree may be below a folder that only root can enter.
    'APT::Sandbox::User "root"',
    ...(await aptNetworkOptions(signal)),
    ...surroundings.aptOptions,
  ];
  const args = [
    "--mode=root",
    `--arch=${ARCHITECTURE}`,
    "--variant=apt",
    `--include=${PACKAGES.join(",")}`,
    `--keyring=${KEYRING}`,
    ...aptOptions.map((option) => `--aptopt=${option}`),
    `--setup-hook=${join(options.recipeDir, "setup.sh")}`,
    ...surroundings.hooks,
    `--customize-hook=${join(options.recipeDir, "customize.sh")}`,
    "--format=tar",
    SUITE,
    "-",
    ...options.sourceLines,
  ];
  yield* stream("setpriv", [...UNTIL_WE_END, ...surroundings.command, "mmdebstrap", ...args], {
    ...(signal === undefined ? {} : { signal }),
    env: {
      ...process.env,
      ...surroundings.env,
      TMPDIR: workDir,
      KERNEL_FLAVOUR,
      EXCLUDED: EXCLUDED.join("\n"),
      LC_ALL: "C.UTF-8",
    },
    onStderrLine: (line) => {
      const stage = STAGES.find(([text]) => line.includes(text));
      if (stage !== undefined) onStage(stage[1], stage[2]);
    },
  });
}

const UNTIL_WE_END = ["--pdeathsig", "KILL"];

/** What the tree's programs are run in. */
interface Surroundings {
  /** Goes before mmdebstrap's own. */
  command: string[];
  hooks: string[];
  aptOptions: string[];
  env: Record<string, string>;
}

/**
 * mmdebstrap mounts /proc and /dev below its tree. In namespaces of its own, those mounts and all processes are
 * gone when it is, and it is killed when we are: nothing is left however a build ends.
 */
function itsOwn(): Surroundings {
  const command = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--"];
  return { command, hooks: [], aptOptions: [], env: {} };
}

/** Namespaces too; and the programs that an installation starts by the thousand are this computer's own. */
function byQemu(): Surroundings {
  const { script, folder } = NATIVE_TOOLS;
  return {
    command: [WITH_QEMU],
    hooks: [
      `--extract-hook="$NATIVE_TOOLS" lend "$1"`,
      `--customize-hook="$NATIVE_TOOLS" take-back "$1"`,
    ],
    aptOptions: [
      `DPkg::Path "${folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"`,
    ],
    env: { NATIVE_TOOLS: script, PATH: `${folder}:${process.env.PATH ?? ""}` },
  };
}

/** mmdebstrap's messages, what they mean, and the share of the time that lies before them. */
const STAGES: readonly [text: string, stage: string, fraction: number][] = [
  ["running apt-get update", "reading package lists", 0],
  ["downloading packages", "downloading essential packages", 0.04],
  ["extracting archives", "unpacking essential packages", 0.06],
  ["installing essential packages", "installing essential packages", 0.15],
  ["installing remaining packages", "installing packages", 0.38],
  ["running --customize-hook", "adding the kernel", 0.73],
  ["creating tarball", "reading the tree", 0.83],
];
