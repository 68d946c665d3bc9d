import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type BlobStore, DiskBlobStore } from "../../workers/ninep/blob-store.ts";
import { BLOCK_BYTES, Block, BlockPool } from "../../workers/ninep/blocks.ts";
import { ImageTree } from "../../workers/ninep/image-tree.ts";
import { integersFrom } from "../support/random.ts";
import { errnoOf } from "./support/client.ts";
import { IMAGE_MTIME, pattern, temporaryFolder, world } from "./support/world.ts";

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe("the block pool", () => {
  test("spills over its memory and reads back what was written", () => {
    const { client, pool, overlay } = world({ memoryBytes: 0, cacheBytes: 1024 * 1024 });
    const data = pattern(5_000_000);
    client.put("f", data);
    expect(pool.statistics.memoryBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(client.get("f").equals(data)).toBe(true);
    const fid = client.at("f");
    client.open(fid, 2);
    client.write(fid, 10, "changed in a spilled block");
    data.write("changed in a spilled block", 10);
    overlay.save();
    expect(pool.statistics.dirtyBlocks).toBe(0);
    expect(pool.statistics.cacheBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(client.get("f").equals(data)).toBe(true);
  });

  test("puts many small files into one blob", () => {
    const { client, folder, overlay } = world();
    for (let i = 0; i < 500; i++) client.put(`f${i}`, `file ${i}`);
    overlay.save();
    const blobs = readdirSync(join(folder, "blobs"), { recursive: true }).map(String);
    expect(blobs.filter((name) => name.endsWith(".zst"))).toHaveLength(1);
    expect(client.get("f321").toString()).toBe("file 321");
  });

  test("holds the same bytes after any order of writing, growing, sealing and spilling", () => {
    const seed = 20_240_601;
    const random = integersFrom(seed);
    const folder = temporaryFolder();
    const store = new DiskBlobStore(join(folder, "blobs"));
    const pool = new BlockPool({
      store,
      scratchFolder: folder,
      memoryBytes: 0,
      cacheBytes: 100_000,
    });
    const blocks = Array.from({ length: 64 }, () => ({
      block: new Block(),
      model: Buffer.alloc(0),
    }));
    for (let step = 0; step < 3000; step++) {
      const entry = blocks[random(blocks.length)];
      if (entry === undefined) continue;
      if (step % 500 === 499) pool.seal();
      const length = Math.max(entry.model.length, 1 + random(BLOCK_BYTES));
      const at = random(length);
      const data = pool.makeWritable(entry.block, length);
      data.fill(0, entry.block.length, length);
      entry.block.length = length;
      data.fill(step, at, length);
      const next = Buffer.alloc(length);
      entry.model.copy(next);
      entry.model = next.fill(step, at);
    }
    for (const { block, model } of blocks) {
      const read = Buffer.alloc(block.length);
      if (block.length > 0) pool.read(block, 0, read);
      expect(read.equals(model), `seed ${seed}`).toBe(true);
    }
    pool.close();
  });

  test("reports a blob with other bytes as an I/O error", () => {
    const { client, store, overlay } = world({ cacheBytes: 0 });
    client.put("f", "text");
    const [name = ""] = overlay.save().blobs;
    const lying: BlobStore = { get: () => Buffer.from("lies"), put: () => {} };
    const other = world({ store: lying });
    other.overlay.load({ ...overlay.save() });
    expect(errnoOf(() => other.client.get("f"))).toBe("EIO");
    expect(store.get(name)).toEqual(Buffer.from("text"));
  });
});

describe("a full host disk", () => {
  const mounts: string[] = [];
  afterEach(() => {
    for (const folder of mounts.splice(0)) execFileSync("umount", ["-l", folder]);
  });

  function smallDisk(kilobytes: number): string {
    const folder = join(temporaryFolder(), "disk");
    mkdirSync(folder);
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder]);
    mounts.push(folder);
    return folder;
  }

  const isRoot = process.getuid?.() === 0;

  test.skipIf(!isRoot)("below the scratch file answers ENOSPC, and old contents stay", () => {
    const disk = smallDisk(1024);
    const { bfree } = statfsSync(disk);
    const { client, overlay } = world({
      memoryBytes: 0,
      scratchFolder: disk,
      onFault: () => {},
    });
    client.put("kept", pattern(300_000));
    const fid = client.walk(0);
    client.create(fid, "big");
    let at = 0;
    const fill = () => {
      for (; at < 50_000_000; at += 65536) client.write(fid, at, pattern(65536));
    };
    expect(errnoOf(fill)).toBe("ENOSPC");
    expect(client.getattr(fid).size).toBe(at);
    expect(client.get("kept").equals(pattern(300_000))).toBe(true);
    expect(client.read(fid, at - 65536, 65536).equals(pattern(65536))).toBe(true);
    overlay.save();
    expect(statfsSync(disk).bfree).toBe(bfree);
    client.write(fid, at, pattern(65536));
  });

  test.skipIf(!isRoot)("below the blob store fails the save, and a later one succeeds", () => {
    const disk = smallDisk(256);
    const { client, overlay } = world({ store: new DiskBlobStore(disk) });
    const random = integersFrom(1);
    const noise = Buffer.from(Array.from({ length: 600_000 }, () => random(256)));
    client.put("f", noise);
    expect(() => overlay.save()).toThrow(/ENOSPC/);
    expect(
      readdirSync(disk, { recursive: true }).filter((name) => `${name}`.endsWith(".tmp")),
    ).toEqual([]);
    expect(client.get("f").equals(noise)).toBe(true);
    execFileSync("mount", ["-o", "remount,size=4096k", disk]);
    overlay.save();
    expect(client.get("f").equals(noise)).toBe(true);
  });

  test("that cannot even be opened is an I/O error", () => {
    const faults: Error[] = [];
    const { client } = world({
      memoryBytes: 0,
      scratchFolder: "/nonexistent",
      onFault: (error) => faults.push(error),
    });
    expect(errnoOf(() => client.put("f", pattern(2_000_000)))).toBe("EIO");
    expect(faults).toHaveLength(1);
  });
});

describe("the blob store on disk", () => {
  test("gives back what was put, and takes no other names than hashes", () => {
    const folder = temporaryFolder();
    const store = new DiskBlobStore(folder);
    const data = Buffer.from("blob");
    store.put(sha256(data), data);
    store.put(sha256(data), data);
    expect(new DiskBlobStore(folder).get(sha256(data))).toEqual(data);
    expect(() => store.get("../../etc/passwd")).toThrow(/SHA-256/);
    expect(() => store.put("A".repeat(64), data)).toThrow(/SHA-256/);
    expect(() => store.get("0".repeat(64))).toThrow(/cannot be read/);
  });

  test("says when a file is damaged", () => {
    const folder = temporaryFolder();
    const store = new DiskBlobStore(folder);
    const data = pattern(10_000);
    const name = sha256(data);
    store.put(name, data);
    writeFileSync(
      join(folder, name.slice(0, 2), name.slice(2, 4), `${name}.zst`),
      "no zstd at all",
    );
    expect(() => store.get(name)).toThrow(/damaged/);
  });

  test.each([
    ["cannot be read", () => Buffer.from("no zstd at all")],
    ["decompresses into something else", (good: Buffer) => zstdCompressSync(good.fill(1, 0, 1))],
  ])("replaces a file that %s when its content is put again", (_, damage) => {
    const folder = temporaryFolder();
    const store = new DiskBlobStore(folder);
    const data = pattern(10_000);
    const name = sha256(data);
    store.put(name, data);
    const file = join(folder, name.slice(0, 2), name.slice(2, 4), `${name}.zst`);
    writeFileSync(file, damage(Buffer.from(data)));
    store.put(name, data);
    expect(store.get(name)).toEqual(data);
  });
});

describe("the image", () => {
  const regular = 0o100644;

  test.each([
    ["another version", { version: 2, fsroot: [] }],
    ["no tree", { version: 3 }],
    ["nothing", null],
    ["a name with a slash", { version: 3, fsroot: [["a/b", 0, 0, regular, 0, 0]] }],
    ["the name ..", { version: 3, fsroot: [["..", 0, 0, regular, 0, 0]] }],
    ["an empty name", { version: 3, fsroot: [["", 0, 0, regular, 0, 0]] }],
    ["a name twice", { version: 3, fsroot: Array(2).fill(["a", 0, 0, regular, 0, 0]) }],
    [
      "a flat file elsewhere",
      { version: 3, fsroot: [["a", 1, 0, regular, 0, 0, "../../etc/passwd"]] },
    ],
    ["bytes without a flat file", { version: 3, fsroot: [["a", 1, 0, regular, 0, 0]] }],
    ["a negative size", { version: 3, fsroot: [["a", -1, 0, regular, 0, 0, "abcd1234.bin"]] }],
    ["a mode without type", { version: 3, fsroot: [["a", 0, 0, 0o644, 0, 0]] }],
    ["a link to nowhere", { version: 3, fsroot: [["a", 0, 0, 0o120777, 0, 0, ""]] }],
    ["an entry that is no list", { version: 3, fsroot: ["a"] }],
  ])("with %s is refused", (_what, index) => {
    expect(() => new ImageTree({ index, folder: "/nonexistent" })).toThrow(/./);
  });

  test("numbers its nodes by their place, level by level", () => {
    const one = world().image;
    const two = world().image;
    expect(one.child(1, "etc")).toBe(2);
    expect(one.child(2, "deep")).toBe(two.child(2, "deep"));
    expect(one.lastIno).toBe(12);
  });

  test("with compressed flat files reads the same", () => {
    const data = pattern(100_000);
    const { client } = world({
      index: (builder) => {
        writeFileSync(join(builder.folder, "0badcafe.bin.zst"), zstdCompressSync(data));
        const node = ["z", data.length, IMAGE_MTIME, regular, 0, 0, "0badcafe.bin.zst"];
        return { version: 3, fsroot: [node, ["lies", 5, 0, regular, 0, 0, "0badcafe.bin.zst"]] };
      },
      onFault: () => {},
    });
    expect(errnoOf(() => client.get("lies"))).toBe("EIO");
    expect(client.get("z").equals(data)).toBe(true);
  });

  test("with a file cut short or missing gives an I/O error for just that file", () => {
    const { client, folder } = world({ onFault: () => {} });
    const files = join(folder, "files");
    const name = (data: string | Buffer) =>
      join(files, `${sha256(Buffer.from(data)).slice(0, 8)}.bin`);
    truncateSync(name(pattern(300_000)), 100);
    rmSync(name("leaf\n"));
    expect(errnoOf(() => client.get("big"))).toBe("EIO");
    expect(errnoOf(() => client.get("etc/deep/er/leaf"))).toBe("EIO");
    expect(client.get("etc/hostname").toString()).toBe("guest\n");
    const fid = client.at("big");
    client.open(fid, 2);
    expect(errnoOf(() => client.write(fid, 10, "x"))).toBe("EIO");
    expect(client.getattr(fid).size).toBe(300_000);
  });

  test("with more files than descriptors reads them all", () => {
    const { client } = world({
      index: (builder) => ({
        version: 3,
        fsroot: Array.from({ length: 300 }, (_, i) => builder.file(`f${i}`, `number ${i}`)),
      }),
    });
    for (let i = 0; i < 300; i++) expect(client.get(`f${i}`).toString()).toBe(`number ${i}`);
  });

  test("keeps names that are no UTF-8, as Python writes them", () => {
    const { client } = world({
      index: () => ({ version: 3, fsroot: [["\udcffé", 0, 0, regular, 0, 0]] }),
    });
    client.walk(0, Buffer.from([0xff, 0xc3, 0xa9]));
  });
});
