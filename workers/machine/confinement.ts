import { fileURLToPath } from "node:url";
import type { MachineFiles } from "./messages.ts";

/**
 * Node's permission model for a machine's process: should a guest ever get out of the emulator, it finds a
 * process that can read the program and its image, write blobs and scratch, and start nothing. It is no wall
 * against native code, but one more thing to break.
 */
export function confinement(files: MachineFiles): string[] {
  const program = fileURLToPath(new URL("../../", import.meta.url));
  const reads = [program, files.image, files.base, files.blobs, files.scratch, files.bases];
  const writes = [files.blobs, files.scratch, files.bases];
  return [
    "--permission",
    // The relay's sockets; Node.js 25 and later close the network, too.
    ...(process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : []),
    ...reads.flatMap((folder) => (folder === null ? [] : [`--allow-fs-read=${folder}`])),
    ...writes.flatMap((folder) => (folder === null ? [] : [`--allow-fs-write=${folder}`])),
  ];
}
