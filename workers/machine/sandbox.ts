import type { SavedFlow } from "../../relay/index.ts";
import type { OverlayState } from "../ninep/overlay.ts";
import type { ServerState } from "../ninep/server.ts";
import { MachineError } from "./api.ts";
import type { BasePlaces } from "./base-pages.ts";
import { arePlaces } from "./base-places.ts";
import type { GuestState } from "./guest.ts";
import { arePageNumbers, isPageSet, type PageSet } from "./memory.ts";
import type { PagePacks, PagePlaces } from "./page-packs.ts";
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
  /** Hash of the operator's certificates that the guest trusts; "" for none. */
  certificates: string;
  /** Connections that the guest believes in: whoever restores it tells it that they are over. */
  flows: SavedFlow[];
  /** Files in `~/out` that earlier turns left, by path, with inode, size and change time. */
  outMarks: Record<string, string>;
}

type Head = Omit<Sandbox, "pages" | "devices">;

/** A base as bytes, but for the contents of its pages. @param level of zstd's compression, 1 to 22. */
export function packBase(sandbox: Sandbox, places: BasePlaces, level: number): Uint8Array {
  const { pages, devices, ...head } = sandbox;
  return packState(
    {
      content: { ...head, imageFiles: places.files },
      buffers: [devices, bytesOf(pages.numbers), bytesOf(places.places)],
    },
    level,
  );
}

/**
 * A base as a sandbox over itself, with no pages, the numbers of those that it has, and where they stand.
 *
 * @throws MachineError BAD_STATE: damaged, or of another memory size.
 */
export function unpackBase(
  packed: Uint8Array,
  memoryBytes: number,
): { sandbox: Sandbox; numbers: Uint32Array; places: BasePlaces } {
  const { head, devices, numbers, rest } = unpack(packed, "", memoryBytes);
  const { imageFiles: files = [], ...own } = head;
  const places = { files, places: numbersOf(rest) };
  if (!arePageNumbers(numbers, memoryBytes) || !arePlaces(places, numbers.length)) throw misfit();
  const pages = { numbers: new Uint32Array(0), contents: new Uint8Array(0) };
  // What it was cut out of would stay in memory with it.
  return { sandbox: { ...own, pages, devices: Uint8Array.from(devices) }, numbers, places };
}

/** A snapshot as bytes, and the blobs that hold its pages and files. */
export function packSnapshot(
  sandbox: Sandbox,
  packs: PagePacks,
  level: number,
): { data: Uint8Array; blobs: string[] } {
  const { pages, devices, ...head } = sandbox;
  const places = packs.save(pages);
  const data = packState(
    {
      content: { ...head, packs: places.packs },
      buffers: [devices, bytesOf(places.numbers), bytesOf(places.places)],
    },
    level,
  );
  const packHashes = places.packs.map(({ hash }) => hash);
  return { data, blobs: [...new Set([...packHashes, ...(sandbox.overlay?.blobs ?? [])])] };
}

/** @throws MachineError BAD_STATE: damaged, or over another base or memory size. */
export function unpackSnapshot(
  packed: Uint8Array,
  packs: PagePacks,
  base: string,
  memoryBytes: number,
): Sandbox {
  const { head, devices, numbers, rest } = unpack(packed, base, memoryBytes);
  const { packs: named = [], ...sandbox } = head;
  const places = numbersOf(rest);
  if (places.length !== numbers.length * 2) throw misfit();
  const pages = packs.load({ packs: named, numbers, places });
  if (!isPageSet(pages, memoryBytes)) throw misfit();
  return { ...sandbox, pages, devices };
}

function unpack(packed: Uint8Array, base: string, memoryBytes: number) {
  const { content, buffers } = unpackState(packed);
  const [devices, numberBytes, rest] = buffers;
  // Written by the functions above alone, on this host or another of ours: its shape is trusted once it is whole.
  const head = content as Head & Partial<Pick<PagePlaces, "packs">> & { imageFiles?: string[] };
  if (devices === undefined || numberBytes === undefined || rest === undefined) {
    throw new MachineError("BAD_STATE", "the saved state is damaged: parts are missing");
  }
  if (head.base !== base) throw otherBase(head.base, base);
  if (head.memoryBytes !== memoryBytes) {
    throw new MachineError(
      "BAD_STATE",
      `the saved state is of a machine with ${head.memoryBytes >> 20} MB, this one has ${memoryBytes >> 20} MB`,
    );
  }
  return { head, devices, numbers: numbersOf(numberBytes), rest };
}

function misfit(): MachineError {
  return new MachineError("BAD_STATE", "the saved state is damaged: its pages do not fit");
}

function bytesOf(numbers: Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** A copy, since these bytes may stand anywhere in theirs. */
function numbersOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >> 2);
}

/** The pages of a state mean nothing over those of another base. */
export function otherBase(belongsTo: string, runs: string): MachineError {
  return new MachineError(
    "BAD_STATE",
    `the saved state belongs to base ${belongsTo}, this machine runs base ${runs}`,
  );
}
