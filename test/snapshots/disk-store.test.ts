import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskSnapshotStore } from "../../workers/snapshots/disk-store.ts";
import type { Snapshot } from "../../workers/snapshots/store.ts";

let root: string;
let store: DiskSnapshotStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mom-snapshots-"));
  store = new DiskSnapshotStore(join(root, "threads"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

function snapshot(text: string, turnId = "turn-1") {
  return { base: "base-1", turnId, data: Buffer.from(text) };
}

/** Save over whatever stands there. */
async function put(threadKey: string, next: Snapshot): Promise<void> {
  await store.save(threadKey, next, (await store.load(threadKey))?.turnId);
}

async function textOf(threadKey: string): Promise<string | undefined> {
  const loaded = await store.load(threadKey);
  return loaded && Buffer.from(loaded.data).toString();
}

test("a thread without a snapshot has none", async () => {
  expect(await store.load("T1-C1-1.1")).toBeUndefined();
});

test("the last snapshot saved is the one loaded, also by another store", async () => {
  await put("T1-C1-1.1", snapshot("one"));
  await put("T1-C1-1.1", snapshot("two", "turn-2"));
  const other = await new DiskSnapshotStore(join(root, "threads")).load("T1-C1-1.1");
  expect(other).toMatchObject({ base: "base-1", turnId: "turn-2" });
  expect(await textOf("T1-C1-1.1")).toBe("two");
});

test("threads do not see each other, whatever their keys look like", async () => {
  const keys = ["a", "A", "../a", "a/b", "a\0b", "", ".", "x".repeat(5000), "ä"];
  for (const key of keys) await put(key, snapshot(`of ${key}`));
  for (const key of keys) expect(await textOf(key)).toBe(`of ${key}`);
  expect(await readdir(root)).toEqual(["threads"]);
});

test("a snapshot made from one that no longer stands is refused", async () => {
  await store.save("k", snapshot("one", "turn-1"), undefined);
  await store.save("k", snapshot("two", "turn-2"), "turn-1");
  for (const over of [undefined, "turn-1", "turn-9"]) {
    await expect(store.save("k", snapshot("late", "turn-2"), over)).rejects.toMatchObject({
      code: "SNAPSHOT_STALE",
    });
  }
  expect(await textOf("k")).toBe("two");
});

test("twenty writers at once leave one whole snapshot and no other file", async () => {
  const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(100_000));
  await Promise.all(texts.map((text) => put("k", snapshot(text))));
  expect(texts).toContain(await textOf("k"));
  expect(await readdir(dirname(store.pathOf("k")))).toEqual(["head.snapshot"]);
});

test("a broken file is refused, is left for inspection, and nothing is saved over it", async () => {
  await put("k", snapshot("good"));
  const path = store.pathOf("k");
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, whole.length - 1));
  await expect(store.load("k")).rejects.toMatchObject({ code: "SNAPSHOT_TRUNCATED" });
  expect((await readFile(path)).length).toBe(whole.length - 1);
  await expect(store.save("k", snapshot("new"), "turn-1")).rejects.toMatchObject({
    code: "SNAPSHOT_TRUNCATED",
  });
});

test("a temporary file that a killed writer left is removed after an hour, a fresh one is not", async () => {
  await put("k", snapshot("one"));
  const folder = dirname(store.pathOf("k"));
  await writeFile(join(folder, ".old.tmp"), "half");
  await writeFile(join(folder, ".fresh.tmp"), "half");
  const longAgo = Date.now() / 1000 - 7200;
  await utimes(join(folder, ".old.tmp"), longAgo, longAgo);
  await put("k", snapshot("two"));
  expect((await readdir(folder)).sort()).toEqual([".fresh.tmp", "head.snapshot"]);
});

test("a folder that cannot be written to gives STORE_FAILED with the cause", async () => {
  await writeFile(join(root, "threads"), "a file in the way");
  await expect(put("k", snapshot("x"))).rejects.toMatchObject({
    code: "STORE_FAILED",
    cause: { code: expect.stringMatching(/ENOTDIR|EEXIST/) },
  });
});

test("on a full disk the save fails with STORE_FULL, and the earlier snapshot stands", async (context) => {
  if (!mountSmallDisk(root)) return context.skip("no right to mount a small disk here");
  try {
    await put("k", snapshot("small"));
    await expect(put("k", snapshot("x".repeat(1_000_000)))).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    expect(await textOf("k")).toBe("small");
    await put("k", snapshot("small again"));
    expect(await textOf("k")).toBe("small again");
    expect(await readdir(dirname(store.pathOf("k")))).toEqual(["head.snapshot"]);
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
