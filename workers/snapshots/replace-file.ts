import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

const TEMPORARY = /^\..*\.tmp$/;
/** A temporary file older than this was left by a writer that was killed. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/**
 * Write a file so that at any moment, also after a crash or a power cut, the path holds the old content or
 * the new, whole. The way of rename(2): write beside, fsync, rename over, fsync the folder.
 */
export async function replaceFile(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  await removeAbandoned(folder);
  const temporary = join(folder, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Make the folder and those above it, each durable in its parent. */
async function makeFolder(folder: string): Promise<void> {
  const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (firstMade === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === firstMade) return;
  }
}

/** A new name in a folder outlives a power cut only when the folder is on disk, too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(folder, name);
    // Another writer may finish or clean up in between: then there is nothing left to do.
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_AFTER_MS) await rm(path, { force: true });
  }
}
