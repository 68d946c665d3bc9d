import { posix } from "node:path";
import { fromByteStringExactly } from "../ninep/names.ts";
import { MachineError } from "./api.ts";
import type { Guest } from "./guest.ts";
import type { GuestFile } from "./result.ts";

/**
 * Files in and out of a running guest, by its own `cat` and `find`: the guest caches its root, so a file changed
 * behind its back might not be seen, nor what it has written but not yet sent. It also reaches what is mounted.
 */

const TRANSFER_DEADLINE_MS = 240_000;
const LIST_DEADLINE_MS = 30_000;
const HOME = "/root";
/** A turn that names more has the rest left where it is. */
const MAX_ATTACHED = 1_000;

export async function readGuestFile(guest: Guest, path: string): Promise<Uint8Array> {
  const { status, stdout, stderr } = await guest.runApart(
    `cat -- ${quote(path)}`,
    undefined,
    TRANSFER_DEADLINE_MS,
  );
  if (status !== 0) throw fileError(stderr, path);
  return stdout;
}

/** @param path a relative one is below the resident shell's directory, or the home directory while there is no shell. */
export async function writeGuestFile(guest: Guest, path: string, data: Uint8Array): Promise<void> {
  const { status, stderr } = await guest.runApart(
    `cd -- ${quote(guest.directory)} 2>/dev/null; cat >${quote(path)}`,
    data,
    TRANSFER_DEADLINE_MS,
  );
  if (status !== 0) throw fileError(stderr, path);
}

/** @param path of a directory or a file; a relative one is below the home directory. */
export async function listGuestFiles(guest: Guest, path: string): Promise<GuestFile[]> {
  const directory = posix.resolve(HOME, path);
  const { status, stdout, stderr } = await guest.runApart(
    `[ ! -e ${quote(directory)} ] || find ${quote(directory)} -type f -printf '%s %p\\0'`,
    undefined,
    LIST_DEADLINE_MS,
  );
  if (status !== 0) throw fileError(stderr, directory);
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  return found(stdout)
    .map(({ path, size }) => {
      const name = path.startsWith(prefix) ? path.slice(prefix.length) : posix.basename(path);
      return { path, name: name.toWellFormed(), size };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Have the guest send what it keeps in its page cache, so that sizes and times on our side are final. */
export async function sendWrittenData(guest: Guest): Promise<void> {
  await guest.runApart("sync", undefined, LIST_DEADLINE_MS);
}

/** Files named with `attach`, but for those that are told already and those that are gone. */
export async function attachedFiles(
  guest: Guest,
  paths: string[],
  told: GuestFile[],
): Promise<GuestFile[]> {
  const wanted = [...new Set(paths)]
    .filter((path) => path.startsWith("/") && !told.some((file) => file.path === path))
    .slice(0, MAX_ATTACHED);
  if (wanted.length === 0) return [];
  const { stdout } = await guest.runApart(
    `find ${wanted.map(quote).join(" ")} -maxdepth 0 -type f -printf '%s %p\\0'`,
    undefined,
    LIST_DEADLINE_MS,
  );
  return found(stdout).map(({ path, size }) => ({
    path,
    name: posix.basename(path).toWellFormed(),
    size,
  }));
}

/** What `find -printf '%s %p\0'` printed. */
function found(output: Uint8Array): { path: string; size: number }[] {
  return pathOf(output)
    .split("\0")
    .flatMap((line) => {
      const [, size = "", path = ""] = /^(\d+) ([\s\S]+)$/.exec(line) ?? [];
      return path === "" ? [] : [{ path, size: Number(size) }];
    });
}

function fileError(stderr: string, path: string): MachineError {
  const reason = stderr.trim().split(": ").at(-1) ?? "";
  return reason === "No such file or directory"
    ? new MachineError("NO_SUCH_FILE", `${path}: no such file`)
    : new MachineError("FILE_FAILED", `${path}: ${reason === "" ? "failed" : reason}`);
}

/** What the guest calls its files, without loss: see `GuestFile`. */
function pathOf(bytes: Uint8Array): string {
  return fromByteStringExactly(Buffer.from(bytes).toString("latin1"));
}

/** A word for the shell, whatever its bytes. @throws MachineError FILE_FAILED for what can be no path. */
function quote(text: string): string {
  if (text === "" || text.includes("\0")) {
    throw new MachineError("FILE_FAILED", `${JSON.stringify(text)} can not be a path`);
  }
  const quoted = text.replaceAll("'", `'\\''`).replace(/[\udc80-\udcff]/gu, (byte) => {
    return `'$'\\x${(byte.charCodeAt(0) - 0xdc00).toString(16)}''`;
  });
  return `'${quoted}'`;
}
