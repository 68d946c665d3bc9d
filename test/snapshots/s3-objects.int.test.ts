import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { CopiedBlobs } from "../../workers/snapshots/copied-blobs.ts";
import { DiskObjects } from "../../workers/snapshots/disk-objects.ts";
import { blobName } from "../../workers/snapshots/objects.ts";
import { S3Objects } from "../../workers/snapshots/s3-objects.ts";
import { Snapshots } from "../../workers/snapshots/snapshots.ts";
import { compressedBlob } from "./support/blobs.ts";
import { objectCases } from "./support/object-cases.ts";
import { startS3, type TestS3 } from "./support/s3.ts";

let s3: TestS3;
const folders: string[] = [];
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.stop());
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

objectCases("a store in a bucket", async () => new S3Objects(await s3.bucket()));

/** A host with a folder of its own. */
async function host(store: S3Objects) {
  const folder = await mkdtemp(join(tmpdir(), "mom-host-"));
  folders.push(folder);
  const disk = new DiskObjects(folder);
  const snapshots = new Snapshots(store, new CopiedBlobs(disk, store, 60_000, Date.now));
  return { disk, snapshots };
}

test("a snapshot saved on one host is loaded on another, blobs and all", async () => {
  const store = new S3Objects(await s3.bucket());
  const [one, other] = [await host(store), await host(store)];
  const { hash, bytes } = compressedBlob("contents of a file");
  await one.disk.put(blobName(hash), bytes);
  const snapshot = {
    base: "b",
    owner: "o",
    parent: null,
    turnId: "t",
    blobs: [hash],
    data: Buffer.from("state"),
  };
  const { id, storedBytes } = await one.snapshots.save(snapshot, undefined);
  expect(storedBytes).toBeGreaterThan(bytes.length);
  expect(Buffer.from((await other.snapshots.load(id)).data).toString()).toBe("state");
  expect(Buffer.from((await other.disk.get(blobName(hash))) ?? []).equals(bytes)).toBe(true);
});

test("a blob that was sent lately, or that the snapshot before has, is not sent again", async () => {
  const store = new S3Objects(await s3.bucket());
  const { disk, snapshots } = await host(store);
  const { hash, bytes } = compressedBlob("x".repeat(100_000));
  await disk.put(blobName(hash), bytes);
  const snapshot = { base: "b", owner: "o", parent: null, turnId: "1", blobs: [hash] };
  const data = new Uint8Array();
  const first = await snapshots.save({ ...snapshot, data }, undefined);
  const second = await snapshots.save({ ...snapshot, turnId: "2", data }, undefined);
  expect(first.storedBytes - second.storedBytes).toBe(bytes.length);
});

test("a blob that is missing or damaged in the bucket is refused, and not kept on the host", async () => {
  const store = new S3Objects(await s3.bucket());
  const [one, other] = [await host(store), await host(store)];
  const { hash, bytes } = compressedBlob("y");
  await one.disk.put(blobName(hash), bytes);
  const data = new Uint8Array();
  const snapshot = { base: "b", owner: "o", parent: null, turnId: "1", blobs: [hash], data };
  const { id } = await one.snapshots.save(snapshot, undefined);
  await store.put(blobName(hash), compressedBlob("z").bytes);
  await expect(other.snapshots.load(id)).rejects.toMatchObject({ code: "SNAPSHOT_CORRUPT" });
  await store.remove(blobName(hash), Date.now() + 60_000);
  await expect(other.snapshots.load(id)).rejects.toMatchObject({ code: "SNAPSHOT_MISSING" });
  expect(await other.disk.find(blobName(hash))).toBeUndefined();
});

test("a storage that does not answer, or a bucket that is not there, fails with a sentence", async () => {
  const options = await s3.bucket();
  const name = blobName(compressedBlob("x").hash);
  for (const change of [{ endpoint: "http://127.0.0.1:1" }, { bucket: "no-such-bucket" }]) {
    const store = new S3Objects({ ...options, ...change });
    await expect(store.get(name)).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/storage cannot be reached/),
    });
  }
});
