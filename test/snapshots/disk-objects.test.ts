import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskObjects } from "../../workers/snapshots/disk-objects.ts";
import { blobName, snapshotName } from "../../workers/snapshots/objects.ts";
import { hashOf, objectCases } from "./support/object-cases.ts";

let root: string;
let store: DiskObjects;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mom-objects-"));
  store = new DiskObjects(root);
});

afterEach(() => rm(root, { recursive: true, force: true }));

objectCases("a store on disk", async () => store);

const name = snapshotName(hashOf("x"));

test("what one store puts another finds, and no other file is left", async () => {
  await store.put(name, Buffer.from("x"));
  expect(Buffer.from((await new DiskObjects(root).get(name)) ?? []).toString()).toBe("x");
  expect(await readdir(dirname(store.pathOf(name)))).toEqual([hashOf("x")]);
});

test("a temporary file that a killed writer left is removed after an hour, a fresh one is not", async () => {
  await store.put(name, Buffer.from("x"));
  const folder = dirname(store.pathOf(name));
  await writeFile(join(folder, ".old.tmp"), "half");
  await writeFile(join(folder, ".fresh.tmp"), "half");
  const longAgo = Date.now() / 1000 - 7200;
  await utimes(join(folder, ".old.tmp"), longAgo, longAgo);
  await rm(store.pathOf(name));
  await store.put(name, Buffer.from("x"));
  expect((await readdir(folder)).sort()).toEqual([".fresh.tmp", hashOf("x")]);
});

test("a folder that cannot be written to gives STORE_FAILED with the cause", async () => {
  await writeFile(join(root, "snapshots"), "a file in the way");
  await expect(store.put(name, Buffer.from("x"))).rejects.toMatchObject({
    code: "STORE_FAILED",
    cause: { code: expect.stringMatching(/ENOTDIR|EEXIST/) },
  });
});

test("an object that is put while it is being removed is there afterwards", async () => {
  const blob = blobName(hashOf("y"));
  for (let round = 0; round < 200; round++) {
    const old = Date.now() / 1000 - 7200;
    await store.put(blob, Buffer.from("y"));
    await utimes(store.pathOf(blob), old, old);
    const cutoff = Date.now() - 3_600_000;
    await Promise.all([store.remove(blob, cutoff), store.put(blob, Buffer.from("y"))]);
    const found = await store.find(blob);
    // Removed first and put after it, or put first and left alone.
    expect(found?.putAtMs ?? 0, `round ${round}`).toBeGreaterThan(cutoff);
  }
});

test("on a full disk the put fails with STORE_FULL, and what was there stays", async (context) => {
  if (!mountSmallDisk(root)) return context.skip("no right to mount a small disk here");
  try {
    await store.put(name, Buffer.from("x"));
    const large = Buffer.alloc(1_000_000, "y");
    const largeName = blobName(hashOf(large));
    await expect(store.put(largeName, large)).rejects.toMatchObject({ code: "STORE_FULL" });
    expect(await store.get(largeName)).toBeUndefined();
    expect(Buffer.from((await store.get(name)) ?? []).toString()).toBe("x");
  } finally {
    execFileSync("umount", [root]);
  }
});

function mountSmallDisk(folder: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
