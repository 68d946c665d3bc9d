import type { ObjectStore } from "./objects.ts";

export interface StoreSize {
  snapshots: number;
  blobs: number;
  bytes: number;
}

/** What a store holds, for people who look after it. Throws `SnapshotError`. */
export async function storeSize(objects: ObjectStore): Promise<StoreSize> {
  const size: StoreSize = { snapshots: 0, blobs: 0, bytes: 0 };
  for (const kind of ["snapshots", "blobs"] as const) {
    for await (const { bytes } of objects.list(kind)) {
      size[kind]++;
      size.bytes += bytes;
    }
  }
  return size;
}
