import { readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isObjectName, type ObjectKind, type ObjectStore, type StoredObject } from "./objects.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";
import { SnapshotError } from "./store.ts";

/** Ending of a file that is about to be removed. */
const ASIDE = ".removed";
const ABANDONED_AFTER_MS = 60_000;

/**
 * Objects as files of a folder that the workers of one host share. Machines write blobs into the same folder, in
 * the same way (workers/ninep/blob-store.ts).
 *
 * @example
 * const objects = new DiskObjects(dataDir);
 */
export class DiskObjects implements ObjectStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.pathOf(name));
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw readFailure(cause);
    }
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.pathOf(name);
    try {
      if (await touched(path)) return;
      await replaceFile(path, [bytes]);
    } catch (cause) {
      throw writeFailure(cause);
    }
  }

  /** See that these objects, which others wrote, outlive a power cut with their names. */
  async settle(names: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const name of names) {
      const folder = dirname(this.pathOf(name));
      folders
        .add(folder)
        .add(dirname(folder))
        .add(dirname(dirname(folder)));
    }
    try {
      for (const folder of folders) await syncFolder(folder);
    } catch (cause) {
      throw writeFailure(cause);
    }
  }

  /** Make it young again; says whether it is there. */
  async touch(name: string): Promise<boolean> {
    try {
      return await touched(this.pathOf(name));
    } catch (cause) {
      throw writeFailure(cause);
    }
  }

  async find(name: string): Promise<StoredObject | undefined> {
    try {
      const { size, mtimeMs } = await stat(this.pathOf(name));
      return { name, bytes: size, putAtMs: mtimeMs };
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw readFailure(cause);
    }
  }

  async *list(kind: ObjectKind): AsyncIterable<StoredObject> {
    yield* this.#walk(kind);
  }

  /**
   * Out of the way first, then a look at its age: so that one which is put again in between is either seen to be
   * young and brought back, or not found and written anew.
   */
  async remove(name: string, unlessPutSinceMs: number): Promise<boolean> {
    const path = this.pathOf(name);
    const aside = `${path}${ASIDE}`;
    try {
      if ((await stat(path)).mtimeMs > unlessPutSinceMs) return false;
      await rename(path, aside);
      const { mtimeMs } = await stat(aside);
      if (mtimeMs > unlessPutSinceMs) {
        await rename(aside, path);
        return false;
      }
      await rm(aside);
      return true;
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return true;
      throw writeFailure(cause);
    }
  }

  /** Where an object lies, for people who look after the disk and for tests. */
  pathOf(name: string): string {
    if (!isObjectName(name)) throw new SnapshotError("STORE_FAILED", "That is no object's name.");
    return join(this.#root, name);
  }

  /** Left by a collector that was killed between its two steps: the next one decides anew. */
  async #bringBack(aside: string): Promise<void> {
    try {
      const { ctimeMs } = await stat(aside);
      if (Date.now() - ctimeMs < ABANDONED_AFTER_MS) return;
      await rename(aside, aside.slice(0, -ASIDE.length));
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT") throw writeFailure(cause);
    }
  }

  async *#walk(folder: string): AsyncGenerator<StoredObject> {
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch(
      (cause: unknown) => {
        if (errnoOf(cause) === "ENOENT") return [];
        throw readFailure(cause);
      },
    );
    for (const entry of entries) {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.#walk(name);
      else if (name.endsWith(ASIDE)) await this.#bringBack(join(this.#root, name));
      else if (isObjectName(name)) {
        const found = await this.find(name);
        if (found) yield found;
      }
    }
  }
}

/** Whether the file is there; if so, its time is now. */
async function touched(path: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function readFailure(cause: unknown): SnapshotError {
  const message = `The saved computer of this thread cannot be read (${errnoOf(cause)}).`;
  return new SnapshotError("STORE_FAILED", message, { cause });
}

function writeFailure(cause: unknown): SnapshotError {
  const errno = errnoOf(cause);
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    const message = `The disk of the computers is full (${errno}).`;
    return new SnapshotError("STORE_FULL", message, { cause });
  }
  return new SnapshotError("STORE_FAILED", `The computer cannot be saved (${errno}).`, { cause });
}

function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
