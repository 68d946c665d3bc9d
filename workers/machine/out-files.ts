import { type Attributes, emptyAttributes, type FileSystem } from "../ninep/filesystem.ts";
import { fromByteStringExactly, toByteString } from "../ninep/names.ts";
import type { GuestFile } from "./result.ts";

/**
 * What stands in the guest's `~/out`, read from the root's file system without asking the guest. What the guest
 * has written but not sent yet is not seen: see `sendWrittenData`.
 */

export const OUT_DIRECTORY = "/root/out";
/** A turn that leaves more has the rest left where it is. */
const MAX_FILES = 1_000;
const MAX_DEPTH = 16;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

export interface OutFile extends GuestFile {
  /** Another mark means that the file was made or changed since. */
  mark: string;
}

export function outFiles(root: FileSystem): OutFile[] {
  let directory = root.root;
  for (const name of OUT_DIRECTORY.split("/").slice(1)) {
    if (!isDirectory(root, directory)) return [];
    directory = root.lookup(directory, toByteString(name));
    if (directory === 0) return [];
  }
  const found: OutFile[] = [];
  collect(root, directory, "", found, 0);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Files that are not as they were at the end of the turn before. */
export function filesLeft(
  found: OutFile[],
  marksBefore: Record<string, string>,
): { left: GuestFile[]; marks: Record<string, string> } {
  const marks: Record<string, string> = {};
  const left: GuestFile[] = [];
  for (const { mark, ...file } of found) {
    marks[file.path] = mark;
    if (marksBefore[file.path] !== mark) left.push(file);
  }
  return { left, marks };
}

function collect(
  root: FileSystem,
  directory: number,
  prefix: string,
  found: OutFile[],
  depth: number,
): void {
  if (!isDirectory(root, directory) || depth > MAX_DEPTH) return;
  const subdirectories: [number, string][] = [];
  const attributes = emptyAttributes();
  root.readdir(directory, 0, (ino, mode, _next, bytes) => {
    if (bytes === "." || bytes === "..") return true;
    const name = prefix + fromByteStringExactly(bytes);
    if ((mode & S_IFMT) === S_IFDIR) subdirectories.push([ino, `${name}/`]);
    if ((mode & S_IFMT) === S_IFREG) {
      root.getattr(ino, attributes);
      const { size } = attributes;
      const path = `${OUT_DIRECTORY}/${name}`;
      found.push({ path, name: name.toWellFormed(), size, mark: markOf(ino, attributes) });
    }
    return found.length < MAX_FILES;
  });
  for (const [ino, name] of subdirectories) collect(root, ino, name, found, depth + 1);
}

function markOf(ino: number, { size, ctimeSec, ctimeNsec }: Attributes): string {
  return `${ino} ${size} ${ctimeSec}.${ctimeNsec}`;
}

function isDirectory(root: FileSystem, ino: number): boolean {
  return (root.modeOf(ino) & S_IFMT) === S_IFDIR;
}
