import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobsOf } from "../../workers/ninep/overlay-state.ts";
import { errnoOf } from "./support/client.ts";
import { BIG_BYTES, pattern, type World, world } from "./support/world.ts";

/** Through JSON, as a snapshot is. */
function saved({ overlay, server }: World) {
  return JSON.parse(JSON.stringify({ overlay: overlay.save(), server: server.save() }));
}

/** Another machine with the same image and blob store, in the saved state. */
function restored(from: World, state = saved(from)): World {
  const next = world({ store: from.store });
  next.overlay.load(state.overlay);
  next.server.load(state.server);
  // Fids of the first client stay in use.
  next.client.skipFids(100_000);
  return next;
}

describe("a saved and loaded sandbox", () => {
  test("has the same files, names, attributes and usage", () => {
    const first = world();
    const { client } = first;
    client.put("etc/new", pattern(200_000));
    client.mkdir(0, "dir");
    client.symlink(client.at("dir"), "s", "../big");
    client.mknod(client.at("dir"), "tty", 0o020620, 5, 0);
    client.link(client.at("dir"), client.at("etc/hostname"), "hard");
    client.unlink(0, "sudo");
    client.rename(client.at("etc"), "deep", 0, "moved");
    client.setattr(client.at("big"), { valid: 0x101 | 0x20, mode: 0o600, mtime: [123, 456] });
    client.setxattr(client.at("big"), "user.a", "\xff\0x");
    const big = client.at("big");
    client.open(big, 1);
    client.write(big, 100_000, "changed");

    const { client: next, overlay } = restored(first);
    expect(next.get("etc/new").equals(pattern(200_000))).toBe(true);
    expect(next.names("")).toEqual(client.names(""));
    expect(next.readlink(next.at("dir/s"))).toBe("../big");
    for (const path of ["", "dir/tty", "dir/hard", "big", "moved/er/leaf", "etc/new", "dir"]) {
      expect(next.stat(path)).toEqual(client.stat(path));
    }
    expect(errnoOf(() => next.at("sudo"))).toBe("ENOENT");
    expect(next.getxattr(next.at("big"), "user.a")).toBe("\xff\0x");
    expect(next.get("big").equals(client.get("big"))).toBe(true);
    expect(overlay.usage()).toEqual(first.overlay.usage());
  });

  test("keeps open fids, and files without a name", () => {
    const first = world();
    const { client } = first;
    const fid = client.walk(0);
    client.create(fid, "tmp");
    client.write(fid, 0, "still here");
    client.unlink(0, "tmp");
    const lower = client.at("etc/hostname");
    client.open(lower, 0);
    client.unlink(client.at("etc"), "hostname");

    const next = restored(first);
    expect(next.server.fidCount).toBe(first.server.fidCount);
    expect(next.client.read(fid, 0, 100).toString()).toBe("still here");
    next.client.write(fid, 6, "THERE");
    expect(next.client.getattr(fid)).toMatchObject({ size: 11, nlink: 0 });
    expect(next.client.read(lower, 0, 100).toString()).toBe("guest\n");
    expect(client.read(fid, 0, 100).toString()).toBe("still here");
    next.client.clunk(fid);
    next.client.clunk(lower);
    expect(next.overlay.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("keeps the session: msize, users, attributes in the making, locks", () => {
    const first = world();
    const { client } = first;
    client.version(8192);
    client.attach(0, 0);
    client.attach(500, 1000);
    const file = client.walk(500, "big");
    client.open(file, 2);
    client.lock(file, 1, 10, 0, 7);
    const xattr = client.walk(0, "big");
    client.xattrCreate(xattr, "user.half", 4);
    client.write(xattr, 0, "ab");
    const reader = client.freshFid();
    client.setxattr(client.walk(0, "etc"), "user.x", "value");
    client.xattrWalk(client.walk(0, "etc"), reader, "user.x");

    const next = restored(first);
    const again = next.client;
    expect(again.read(file, 0, 100_000)).toHaveLength(8192 - 11);
    again.write(xattr, 2, "cd");
    again.clunk(xattr);
    expect(again.getxattr(again.at("big"), "user.half")).toBe("abcd");
    expect(again.read(reader, 0, 100).toString()).toBe("value");
    const other = again.at("big");
    again.open(other, 2);
    expect(again.getlock(other, 1, 0, 100, 8)).toEqual({ type: 1, start: 10, length: 0, pid: 7 });
    const made = again.walk(0);
    again.create(made, "by-root");
    expect(again.getattr(made).uid).toBe(0);
    again.mkdir(500, "by-user");
    expect(again.getattr(again.at("by-user")).uid).toBe(1000);
  });

  test("goes on with a directory that is half read", () => {
    const first = world();
    const { client } = first;
    for (let i = 0; i < 20; i++) client.put(`f${i}`, "");
    const fid = client.walk(0);
    client.open(fid, 0);
    const before = client.readdirPart(fid, 0, 300);
    const next = restored(first).client;
    const after = next.readdirPart(fid, before.at(-1)?.offset ?? 0, 8192);
    expect([...before, ...after].map(({ name }) => name)).toEqual([".", "..", ...client.names("")]);
  });

  test("never gives an inode number twice", () => {
    const first = world();
    const { client } = first;
    client.put("a", "");
    const used = client.stat("a").qid.path;
    client.unlink(0, "a");
    const next = restored(first).client;
    next.put("b", "");
    expect(next.stat("b").qid.path).toBeGreaterThan(used);
  });
});

test("switching between sandboxes leaves nothing of the other", () => {
  const one = world();
  one.client.put("one", pattern(100_000));
  const stateOne = saved(one);
  one.overlay.load(undefined);
  one.server.load({ version: 1, msize: 512 * 1024, attachments: [] });
  one.client.attach(0, 0);
  expect(errnoOf(() => one.client.at("one"))).toBe("ENOENT");
  expect(one.overlay.usage()).toEqual({ bytes: 0, inodes: 0 });
  one.client.put("two", pattern(70_000));
  const stateTwo = saved(one);
  for (let round = 0; round < 20; round++) {
    const isOne = round % 2 === 0;
    one.overlay.load((isOne ? stateOne : stateTwo).overlay);
    one.server.load((isOne ? stateOne : stateTwo).server);
    const fid = one.client.at(isOne ? "one" : "two");
    expect(one.client.getattr(fid).size).toBe(isOne ? 100_000 : 70_000);
    one.client.open(fid, 2);
    one.client.write(fid, 0, "dirty");
    expect(one.pool.statistics.dirtyBlocks).toBe(1);
  }
  one.overlay.load(undefined);
  expect(one.pool.statistics).toMatchObject({ dirtyBlocks: 0, memoryBytes: 0 });
});

test("a second save without changes puts no blob", () => {
  const first = world();
  first.client.put("f", pattern(BIG_BYTES));
  const one = first.overlay.save();
  const count = readdirSync(first.folder, { recursive: true }).length;
  const two = first.overlay.save();
  expect(two).toEqual(one);
  expect(readdirSync(first.folder, { recursive: true }).length).toBe(count);
  expect(blobsOf(two).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
});

test("a state of another image is refused, and the present one stays", () => {
  const first = world();
  first.client.put("f", "text");
  const state = saved(first);
  state.overlay.lastLowerIno++;
  expect(() => first.overlay.load(state.overlay)).toThrow(/another image/);
  expect(first.client.get("f").toString()).toBe("text");
});
