import { hashOf, type ObjectStore } from "./objects.ts";
import { decodeRecord } from "./record.ts";
import { type Snapshot, SnapshotError } from "./store.ts";

export interface CollectOptions {
  objects: ObjectStore;
  /** Only snapshots of this installation are ever removed: others may share the store. */
  owner: string;
  /** Every snapshot that a thread may still go to. */
  liveSnapshots(): Promise<ReadonlySet<string>>;
  /** What was put so lately may belong to a turn that is being closed. */
  graceMs: number;
  now: () => number;
}

export interface Collected {
  snapshots: number;
  blobs: number;
  bytes: number;
}

/**
 * Remove the snapshots that no thread can go to any more, and the blobs that no snapshot needs.
 *
 * It is safe while turns are closed: a turn's snapshot and its new blobs are young, and its old blobs are those of
 * the snapshot it started from, which its thread still has. A store that cannot be read ends it with nothing removed
 * for want of a mark. Throws `SnapshotError`.
 */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { objects, graceMs, now } = options;
  const cutoffMs = now() - graceMs;
  const live = await options.liveSnapshots();
  const collected: Collected = { snapshots: 0, blobs: 0, bytes: 0 };
  const needed = new Set<string>();
  for await (const { name, bytes, putAtMs } of objects.list("snapshots")) {
    const id = hashOf(name);
    const snapshot = await read(objects, name, id);
    const isDead = snapshot?.owner === options.owner && !live.has(id) && putAtMs <= cutoffMs;
    if (isDead && (await objects.remove(name, cutoffMs))) {
      collected.snapshots++;
      collected.bytes += bytes;
    } else for (const blob of snapshot?.blobs ?? []) needed.add(blob);
  }
  for await (const { name, bytes, putAtMs } of objects.list("blobs")) {
    if (needed.has(hashOf(name)) || putAtMs > cutoffMs) continue;
    if (await objects.remove(name, cutoffMs)) {
      collected.blobs++;
      collected.bytes += bytes;
    }
  }
  return collected;
}

/** `undefined` for one that is damaged or gone: nobody can load it, so it needs no blobs. */
async function read(objects: ObjectStore, name: string, id: string): Promise<Snapshot | undefined> {
  const bytes = await objects.get(name);
  if (!bytes) return undefined;
  try {
    return decodeRecord(id, bytes);
  } catch (error) {
    if (error instanceof SnapshotError && error.code === "SNAPSHOT_CORRUPT") return undefined;
    throw error;
  }
}
