import { blobName, type ObjectStore, snapshotName } from "./objects.ts";
import { decodeRecord } from "./record.ts";
import { SnapshotError } from "./store.ts";

export interface StoreSize {
  snapshots: number;
  blobs: number;
  bytes: number;
}

/** The states of one thread. */
export interface ThreadStates {
  threadKey: string;
  /** Ids, each once. */
  snapshots: readonly string[];
}

export interface ThreadSize {
  threadKey: string;
  states: number;
  /** Of these states and of what they need. A fork counts what it shares with its thread, too. */
  bytes: number;
}

/** What a store holds, all in all and for these threads, for people who look after it. Throws `SnapshotError`. */
export async function storeSize(
  objects: ObjectStore,
  threads: readonly ThreadStates[] = [],
): Promise<StoreSize & { threads: ThreadSize[] }> {
  const size: StoreSize = { snapshots: 0, blobs: 0, bytes: 0 };
  const bytesOf = new Map<string, number>();
  for (const kind of ["snapshots", "blobs"] as const) {
    for await (const { name, bytes } of objects.list(kind)) {
      size[kind]++;
      size.bytes += bytes;
      bytesOf.set(name, bytes);
    }
  }
  const sizes: ThreadSize[] = [];
  for (const { threadKey, snapshots } of threads) {
    const needed = new Set<string>();
    for (const id of snapshots) {
      needed.add(snapshotName(id));
      for (const blob of await blobsOf(objects, id)) needed.add(blobName(blob));
    }
    let bytes = 0;
    for (const name of needed) bytes += bytesOf.get(name) ?? 0;
    sizes.push({ threadKey, states: snapshots.length, bytes });
  }
  return { ...size, threads: sizes };
}

/** None for a state that is gone or damaged. */
async function blobsOf(objects: ObjectStore, id: string): Promise<readonly string[]> {
  const record = await objects.get(snapshotName(id));
  if (!record) return [];
  try {
    return decodeRecord(id, record).blobs;
  } catch (error) {
    if (error instanceof SnapshotError) return [];
    throw error;
  }
}
