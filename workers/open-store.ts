import type { StoreConfig } from "../src/config/index.ts";
import { CopiedBlobs } from "./snapshots/copied-blobs.ts";
import { DiskObjects } from "./snapshots/disk-objects.ts";
import type { ObjectStore } from "./snapshots/objects.ts";
import { S3Objects } from "./snapshots/s3-objects.ts";
import { SharedBlobs } from "./snapshots/shared-blobs.ts";
import { Snapshots } from "./snapshots/snapshots.ts";
import type { SnapshotStore } from "./snapshots/store.ts";

export interface OpenStore {
  snapshots: SnapshotStore;
  objects: ObjectStore;
  /** The host's copies of blobs, where the store is elsewhere. */
  copies: DiskObjects | undefined;
}

/** A turn is closed within minutes after its first blob was kept: Slack is given up before. */
export const GRACE_MS = 60 * 60_000;

/** Where the settings say that snapshots are kept. */
export function openStore(config: StoreConfig, dataDir: string): OpenStore {
  const host = new DiskObjects(dataDir);
  if (config.kind === "disk") {
    const snapshots = new Snapshots(host, new SharedBlobs(host));
    return { snapshots, objects: host, copies: undefined };
  }
  const objects = new S3Objects(config);
  const blobs = new CopiedBlobs(host, objects, GRACE_MS / 2, Date.now);
  return { snapshots: new Snapshots(objects, blobs), objects, copies: host };
}
