import { describe, expect, test } from "vitest";
import { errnoOf } from "./support/client.ts";
import { BIG_BYTES, IMAGE_MTIME, pattern, world } from "./support/world.ts";

describe("the image below", () => {
  test("shows its files, folders, links and devices", () => {
    const { client } = world();
    expect(client.names("/")).toEqual(["etc", "big", "link", "null", "sudo"]);
    expect(client.get("etc/hostname").toString()).toBe("guest\n");
    expect(client.get("big").equals(pattern(BIG_BYTES))).toBe(true);
    expect(client.readlink(client.at("link"))).toBe("etc/hostname");
    expect(client.stat("null")).toMatchObject({ mode: 0o020666, rdev: 0x103, size: 0 });
    expect(client.stat("etc")).toMatchObject({ mode: 0o040755, nlink: 4, mtime: IMAGE_MTIME });
  });

  test("is left alone by reading", () => {
    const { client, overlay } = world();
    client.get("big");
    client.names("etc");
    expect(overlay.save().nodes).toEqual([]);
  });
});

describe("copy on write", () => {
  test("one byte written into a large file of the image costs one block", () => {
    const { client, overlay } = world();
    const fid = client.at("big");
    client.open(fid, 1);
    client.write(fid, 100_000, "X");
    const expected = pattern(BIG_BYTES);
    expected[100_000] = "X".charCodeAt(0);
    expect(client.get("big").equals(expected)).toBe(true);
    expect(overlay.usage().bytes).toBe(65536);
  });

  test("a change of mode copies no contents, and keeps inode number and contents", () => {
    const { client, overlay } = world();
    const before = client.stat("big");
    client.setattr(client.at("big"), { valid: 1, mode: 0o600 });
    expect(client.stat("big")).toMatchObject({ mode: 0o100600, qid: before.qid, size: BIG_BYTES });
    expect(overlay.usage().bytes).toBe(0);
    expect(client.get("big").equals(pattern(BIG_BYTES))).toBe(true);
  });

  test("cutting a file of the image short and making it longer again leaves zeros", () => {
    const { client } = world();
    const fid = client.at("big");
    client.truncate(fid, 70_000);
    client.truncate(fid, 140_000);
    const expected = Buffer.alloc(140_000);
    pattern(70_000).copy(expected);
    expect(client.get("big").equals(expected)).toBe(true);
  });

  test("a block cut short and written behind its end has zeros between", () => {
    const { client } = world();
    client.put("f", "abcdefgh");
    const fid = client.at("f");
    client.open(fid, 2);
    client.truncate(fid, 3);
    client.write(fid, 6, "Z");
    expect(client.get("f").toString("latin1")).toBe("abc\0\0\0Z");
  });

  test("a write at 5 GB costs one block", () => {
    const { client, overlay } = world();
    const fid = client.walk(0);
    client.create(fid, "sparse");
    const offset = 5 * 2 ** 30;
    client.write(fid, offset, "end");
    expect(client.getattr(fid)).toMatchObject({ size: offset + 3, blocks: 8 });
    expect(client.read(fid, offset - 4, 100).toString("latin1")).toBe("\0\0\0\0end");
    expect(client.read(fid, 2 ** 32, 10).equals(Buffer.alloc(10))).toBe(true);
    expect(overlay.usage().bytes).toBeLessThan(65536);
  });
});

describe("names", () => {
  test("a removed file of the image is gone, and its name can be taken again", () => {
    const { client } = world();
    const old = client.stat("etc/hostname").qid.path;
    client.unlink(client.at("etc"), "hostname");
    expect(errnoOf(() => client.at("etc/hostname"))).toBe("ENOENT");
    expect(client.names("etc")).toEqual(["shadow", "empty", "deep"]);
    client.put("etc/hostname", "new\n");
    expect(client.get("etc/hostname").toString()).toBe("new\n");
    expect(client.stat("etc/hostname").qid.path).not.toBe(old);
  });

  test("a folder of the image moves with all it holds and keeps its inode numbers", () => {
    const { client } = world();
    const leaf = client.stat("etc/deep/er/leaf").qid;
    client.rename(client.at("etc"), "deep", 0, "moved");
    expect(client.get("moved/er/leaf").toString()).toBe("leaf\n");
    expect(client.stat("moved/er/leaf").qid).toEqual(leaf);
    expect(errnoOf(() => client.at("etc/deep"))).toBe("ENOENT");
    expect(client.stat("etc").nlink).toBe(3);
    expect(client.stat("").nlink).toBe(4);
  });

  test("a new folder in the place of the image's shows nothing of it", () => {
    const { client } = world();
    const er = client.at("etc/deep/er");
    client.unlink(er, "leaf");
    client.rmdir(client.at("etc/deep"), "er");
    client.rmdir(client.at("etc"), "deep");
    client.mkdir(client.at("etc"), "deep");
    expect(client.names("etc/deep")).toEqual([]);
  });

  test("a folder cannot move into itself", () => {
    const { client } = world();
    const inner = client.at("etc/deep/er");
    expect(errnoOf(() => client.rename(0, "etc", inner, "x"))).toBe("EINVAL");
    client.rename(client.at("etc"), "deep", 0, "d");
    expect(errnoOf(() => client.rename(0, "d", inner, "x"))).toBe("EINVAL");
  });

  test("a moved folder knows its new parent", () => {
    const { client } = world();
    client.mkdir(0, "to");
    client.rename(client.at("etc"), "deep", client.at("to"), "deep");
    const fid = client.at("to/deep");
    client.open(fid, 0);
    const [, above] = client.readdirPart(fid, 0, 1000);
    expect(above).toMatchObject({ name: "..", qid: client.stat("to").qid });
    expect(errnoOf(() => client.rename(0, "to", client.at("to/deep/er"), "x"))).toBe("EINVAL");
    client.rename(0, "etc", client.at("to/deep/er"), "etc");
    expect(client.get("to/deep/er/etc/hostname").toString()).toBe("guest\n");
  });

  test("rename replaces what rename(2) lets it replace", () => {
    const { client } = world();
    client.put("f", "f");
    client.mkdir(0, "d");
    expect(errnoOf(() => client.rename(0, "f", 0, "d"))).toBe("EISDIR");
    expect(errnoOf(() => client.rename(0, "d", 0, "f"))).toBe("ENOTDIR");
    expect(errnoOf(() => client.rename(0, "d", 0, "etc"))).toBe("ENOTEMPTY");
    expect(errnoOf(() => client.rename(0, "none", 0, "f"))).toBe("ENOENT");
    client.rename(0, "f", 0, "big");
    expect(client.get("big").toString()).toBe("f");
    client.rename(0, "d", client.at("etc"), "empty");
    expect(client.names("/")).not.toContain("d");
  });

  test("hard links to a file of the image share contents and count", () => {
    const { client } = world();
    client.link(0, client.at("etc/hostname"), "other");
    expect(client.stat("other")).toMatchObject({ nlink: 2, qid: client.stat("etc/hostname").qid });
    client.put("other", "changed");
    expect(client.get("etc/hostname").toString()).toBe("changed");
    client.rename(0, "other", client.at("etc"), "hostname");
    expect(client.stat("other").nlink).toBe(2);
    client.unlink(client.at("etc"), "hostname");
    expect(client.stat("other").nlink).toBe(1);
    expect(errnoOf(() => client.link(0, client.at("etc"), "folder"))).toBe("EPERM");
    expect(errnoOf(() => client.link(0, client.at("other"), "big"))).toBe("EEXIST");
  });

  test("bytes that are no UTF-8 are a name like any other", () => {
    const { client } = world();
    const name = Buffer.from([0xff, 0xfe, 0x41]);
    const fid = client.walk(0);
    client.create(fid, name as unknown as string);
    client.clunk(fid);
    expect(client.getattr(client.walk(0, name)).size).toBe(0);
  });
});

describe("files without a name", () => {
  test("read, write, truncate and stat go on", () => {
    const { client, overlay } = world();
    const fid = client.walk(0);
    client.create(fid, "tmp");
    client.write(fid, 0, "hello");
    client.unlink(0, "tmp");
    expect(client.getattr(fid)).toMatchObject({ nlink: 0, size: 5 });
    client.write(fid, 5, " world");
    expect(client.read(fid, 0, 100).toString()).toBe("hello world");
    client.truncate(fid, 2);
    expect(client.read(client.walk(fid) && fid, 0, 100).toString()).toBe("he");
    expect(errnoOf(() => client.link(0, fid, "back"))).toBe("ENOENT");
    client.server.handle(new Uint8Array(0), () => {});
    client.version(65536);
    expect(overlay.usage()).toEqual({ bytes: 0, inodes: 0 });
  });

  test("the same for a file of the image, and for one that was replaced", () => {
    const { client, overlay } = world();
    const host = client.at("etc/hostname");
    client.open(host, 2);
    client.unlink(client.at("etc"), "hostname");
    expect(client.getattr(host).nlink).toBe(0);
    client.write(host, 0, "G");
    expect(client.read(host, 0, 100).toString()).toBe("Guest\n");

    const big = client.at("big");
    client.open(big, 0);
    client.put("f", "new");
    client.rename(0, "f", 0, "big");
    expect(client.read(big, 0, BIG_BYTES).equals(pattern(BIG_BYTES))).toBe(true);
    expect(client.get("big").toString()).toBe("new");
    client.clunk(host);
    client.clunk(big);
    expect(overlay.usage().inodes).toBe(1);
  });

  test("a removed folder that is still open is empty and takes nothing", () => {
    const { client } = world();
    client.mkdir(0, "d");
    const fid = client.at("d");
    client.rmdir(0, "d");
    expect(errnoOf(() => client.mkdir(fid, "x"))).toBe("ENOENT");
    client.open(fid, 0);
    expect(client.readdirPart(fid, 0, 1000)).toEqual([]);
  });
});

describe("attributes", () => {
  test("times are set to now or to what is asked, also before 1970", () => {
    const { client, clock } = world();
    client.put("f", "");
    const fid = client.at("f");
    client.setattr(fid, { valid: 0x10 | 0x80 | 0x20 | 0x100, atime: [-5, 7], mtime: [2 ** 33, 9] });
    expect(client.getattr(fid)).toMatchObject({ atime: -5, mtime: 2 ** 33, mtimeNsec: 9 });
    clock.sec++;
    client.setattr(fid, { valid: 0x20 });
    expect(client.getattr(fid)).toMatchObject({ atime: -5, mtime: clock.sec, ctime: clock.sec });
  });

  test("a write by anyone but root clears the set-id bits", () => {
    const { client } = world();
    client.attach(900, 1000);
    const fid = client.walk(900, "sudo");
    client.open(fid, 1);
    client.write(fid, 0, "x");
    expect(client.stat("sudo").mode).toBe(0o100755);
  });

  test("a write by root keeps them, as CAP_FSETID does", () => {
    const { client } = world();
    const fid = client.at("sudo");
    client.open(fid, 1);
    client.write(fid, 0, "x");
    expect(client.stat("sudo").mode).toBe(0o104755);
  });

  test("new nodes belong to who attached, and to the group asked for", () => {
    const { client } = world();
    client.attach(900, 1000);
    client.mkdir(900, "home", 0o750, 77);
    expect(client.stat("home")).toMatchObject({ mode: 0o040750, uid: 1000, gid: 77, nlink: 2 });
  });

  test("sizes that cannot be are refused", () => {
    const { client } = world();
    const fid = client.at("big");
    expect(errnoOf(() => client.truncate(fid, 2n ** 63n))).toBe("EFBIG");
    expect(errnoOf(() => client.truncate(client.at("etc"), 0))).toBe("EISDIR");
    client.open(fid, 2);
    expect(errnoOf(() => client.write(fid, 2n ** 63n, "x"))).toBe("EFBIG");
    expect(errnoOf(() => client.write(fid, 2 ** 50, "x"))).toBe("EFBIG");
    expect(client.read(fid, 2 ** 50, 10)).toHaveLength(0);
  });

  test("fifos, sockets and devices are nodes with a number, and are not opened here", () => {
    const { client } = world();
    client.mknod(0, "fifo", 0o010600);
    client.mknod(0, "socket", 0o140700);
    client.mknod(0, "disk", 0o060660, 259, 300);
    expect(client.stat("fifo").mode).toBe(0o010600);
    expect(client.stat("disk").rdev).toBe((300 & 0xff) | (259 << 8) | ((300 & ~0xff) << 12));
    expect(errnoOf(() => client.open(client.at("fifo"), 0))).toBe("ENXIO");
    expect(client.names("/").slice(-3)).toEqual(["fifo", "socket", "disk"]);
  });
});

describe("quota", () => {
  test("bytes over the quota answer ENOSPC and change nothing", () => {
    const { client, overlay } = world({ bytes: 256 * 1024 });
    client.put("f", Buffer.alloc(100_000, 1));
    const fid = client.at("f");
    client.open(fid, 2);
    const before = { stat: client.getattr(fid), usage: overlay.usage() };
    expect(errnoOf(() => client.write(fid, 90_000, Buffer.alloc(200_000)))).toBe("ENOSPC");
    expect({ stat: client.getattr(fid), usage: overlay.usage() }).toEqual(before);
    client.unlink(0, "f");
    client.clunk(fid);
    client.put("g", Buffer.alloc(200_000, 1));
  });

  test("statfs shows the quota and what is left of it", () => {
    const { client } = world({ bytes: 1024 * 1024, inodes: 100 });
    const before = client.statfs(0);
    expect(before).toMatchObject({ type: 0x01021997, bsize: 4096, blocks: 256, bfree: 256 });
    client.put("f", Buffer.alloc(10_000));
    const after = client.statfs(0);
    expect(after.bavail).toBe(256 - 4);
    expect(after.ffree).toBe(99);
    expect(after.namelen).toBe(255);
  });

  test("inodes over the quota answer ENOSPC, and come back when files go", () => {
    const { client } = world({ inodes: 3 });
    for (const name of ["a", "b", "c"]) client.put(name, "");
    expect(errnoOf(() => client.put("d", ""))).toBe("ENOSPC");
    client.setattr(client.at("etc/hostname"), { valid: 1, mode: 0o600 });
    client.unlink(0, "a");
    client.put("d", "");
  });

  test("hard links, link targets and attributes cost bytes too", () => {
    const { client } = world({ bytes: 3000 });
    client.put("f", "");
    const fid = client.at("f");
    const fill = () => {
      for (let i = 0; i < 100; i++) client.link(0, fid, `link${i}`);
    };
    expect(errnoOf(fill)).toBe("ENOSPC");
    expect(errnoOf(() => client.symlink(0, "s", "x".repeat(3000)))).toBe("ENOSPC");
    expect(errnoOf(() => client.setxattr(fid, "user.a", "x".repeat(3000)))).toBe("ENOSPC");
  });
});
