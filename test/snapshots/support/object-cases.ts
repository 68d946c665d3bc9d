import { createHash, randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { blobName, type ObjectStore, snapshotName } from "../../../workers/snapshots/objects.ts";

export function hashOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What every store of objects must do, whatever it keeps them in. `open` gives one that is empty. */
export function objectCases(what: string, open: () => Promise<ObjectStore>): void {
  describe(what, () => {
    let store: ObjectStore;
    beforeEach(async () => {
      store = await open();
    });

    async function put(content: Uint8Array | string): Promise<string> {
      const bytes = Buffer.from(content);
      const name = blobName(hashOf(bytes));
      await store.put(name, bytes);
      return name;
    }

    async function listed(kind: "snapshots" | "blobs"): Promise<string[]> {
      const names = [];
      for await (const { name } of store.list(kind)) names.push(name);
      return names.sort();
    }

    test("gives back what was put, of any size", async () => {
      for (const size of [0, 1, 4_096, 3_000_000]) {
        const bytes = randomBytes(size);
        const name = await put(bytes);
        expect(Buffer.from((await store.get(name)) ?? []).equals(bytes)).toBe(true);
        expect((await store.find(name))?.bytes).toBe(size);
      }
    });

    test("has nothing of what was not put", async () => {
      const name = blobName(hashOf("never"));
      expect(await store.get(name)).toBeUndefined();
      expect(await store.find(name)).toBeUndefined();
      expect(await listed("blobs")).toEqual([]);
      expect(await store.remove(name, Date.now())).toBe(true);
    });

    test("lists one kind, every object of it", async () => {
      const names = [];
      for (let i = 0; i < 30; i++) names.push(await put(`blob ${i}`));
      const snapshot = snapshotName(hashOf("s"));
      await store.put(snapshot, Buffer.from("s"));
      expect(await listed("blobs")).toEqual(names.sort());
      expect(await listed("snapshots")).toEqual([snapshot]);
    });

    test("removes what is old, and leaves what was put since", async () => {
      const name = await put("x");
      expect(await store.remove(name, Date.now() - 60_000)).toBe(false);
      expect(await store.get(name)).toBeDefined();
      expect(await store.remove(name, Date.now() + 60_000)).toBe(true);
      expect(await store.get(name)).toBeUndefined();
      expect(await listed("blobs")).toEqual([]);
    });

    test("what is put again is young again", async () => {
      const name = await put("x");
      const before = (await store.find(name))?.putAtMs ?? 0;
      // Object stores tell time in seconds.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      await put("x");
      expect((await store.find(name))?.putAtMs).toBeGreaterThan(before);
    });

    test("the same object put by twenty at once is there once and whole", async () => {
      const bytes = randomBytes(100_000);
      const names = await Promise.all(Array.from({ length: 20 }, () => put(bytes)));
      expect(await listed("blobs")).toEqual([names[0]]);
      expect(Buffer.from((await store.get(names[0] ?? "")) ?? []).equals(bytes)).toBe(true);
    });

    test("refuses every name that is not made of a hash", async () => {
      const hash = hashOf("x");
      const names = [
        "",
        "blobs",
        `../${blobName(hash)}`,
        `blobs/../../${hash}.zst`,
        `${blobName(hash)}/..`,
        `snapshots/aa/${hash}\n`,
        `snapshots/${hash}`,
      ];
      for (const name of names) {
        await expect(store.get(name), name).rejects.toMatchObject({ code: "STORE_FAILED" });
        await expect(store.put(name, Buffer.from("x"))).rejects.toMatchObject({
          code: "STORE_FAILED",
        });
        await expect(store.remove(name, 0)).rejects.toMatchObject({ code: "STORE_FAILED" });
      }
    });
  });
}
