import type { OverlayState } from "../ninep/overlay.ts";
import type { ServerState } from "../ninep/server.ts";
import { MachineError } from "./api.ts";
import type { GuestState } from "./guest.ts";
import { isPageSet, type PageSet } from "./memory.ts";
import { packState, unpackState } from "./state-file.ts";

/** All that makes a sandbox, at one instant: the unit that is saved, loaded and switched. */
export interface Sandbox {
  /** Id of the base that `pages` is a delta over; empty for a base itself, whose pages are all that are not zero. */
  base: string;
  memoryBytes: number;
  pages: PageSet;
  /** Processor and devices, as v86 saves them. */
  devices: Uint8Array;
  /** The root's 9P session and the turn files'. */
  rootServer: ServerState;
  turnServer: ServerState;
  /** What the guest wrote over the image; contents are named by hash. */
  overlay: OverlayState | undefined;
  guest: GuestState;
  /** Files in `~/out` that earlier turns left, by path, with inode, size and change time. */
  outMarks: Record<string, string>;
}

type Head = Omit<Sandbox, "pages" | "devices">;

/** @param level of zstd's compression, 1 to 22. */
export function packSandbox(sandbox: Sandbox, level: number): Uint8Array {
  const { pages, devices, ...head } = sandbox;
  return packState(
    {
      content: head,
      buffers: [devices, new Uint8Array(pages.numbers.buffer), pages.contents],
    },
    level,
  );
}

/** @throws MachineError BAD_STATE: damaged, or over another base or memory size. */
export function unpackSandbox(packed: Uint8Array, base: string, memoryBytes: number): Sandbox {
  const { content, buffers } = unpackState(packed);
  const [devices, numberBytes, contents] = buffers;
  // Written by `packSandbox` alone, on this host or another of ours: its shape is trusted once it is whole.
  const head = content as Head;
  if (devices === undefined || numberBytes === undefined || contents === undefined) {
    throw new MachineError("BAD_STATE", "the saved state is damaged: parts are missing");
  }
  if (head.base !== base) throw otherBase(head.base, base);
  if (head.memoryBytes !== memoryBytes) {
    throw new MachineError(
      "BAD_STATE",
      `the saved state is of a machine with ${head.memoryBytes >> 20} MB, this one has ${memoryBytes >> 20} MB`,
    );
  }
  const pages = {
    numbers: new Uint32Array(new Uint8Array(numberBytes).buffer),
    contents,
  };
  if (!isPageSet(pages, memoryBytes)) {
    throw new MachineError("BAD_STATE", "the saved state is damaged: its pages do not fit");
  }
  return { ...head, pages, devices };
}

/** The pages of a state mean nothing over those of another base. */
export function otherBase(belongsTo: string, runs: string): MachineError {
  return new MachineError(
    "BAD_STATE",
    `the saved state belongs to base ${belongsTo}, this machine runs base ${runs}`,
  );
}
