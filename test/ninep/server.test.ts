import { describe, expect, test } from "vitest";
import { errnoOf } from "./support/client.ts";
import { FrameBuilder } from "./support/frames.ts";
import { world } from "./support/world.ts";

const NOFID = 0xffffffff;

describe("Tversion", () => {
  test("agrees on the smaller msize", () => {
    const { client } = world();
    expect(client.version(8192)).toEqual({ msize: 8192, version: "9P2000.L" });
    expect(client.version(2 ** 31)).toEqual({ msize: 512 * 1024, version: "9P2000.L" });
  });

  test("refuses other protocols, and an msize that nothing fits into", () => {
    const { client } = world();
    expect(client.version(8192, "9P2000.u").version).toBe("unknown");
    expect(errnoOf(() => client.getattr(0))).toBe("EPROTO");
    expect(errnoOf(() => client.version(100))).toBe("EINVAL");
  });

  test("ends the session before: its fids are gone", () => {
    const { client, server } = world();
    client.at("etc");
    expect(server.fidCount).toBe(2);
    client.version(8192);
    expect(server.fidCount).toBe(0);
    expect(errnoOf(() => client.getattr(0))).toBe("EBADF");
  });
});

describe("Tauth and Tattach", () => {
  test("ask for no authentication", () => {
    const { client } = world();
    const auth = new FrameBuilder().u32(5).string("root").string("/").u32(0);
    expect(errnoOf(() => client.call(102, auth))).toBe("EOPNOTSUPP");
    const attach = new FrameBuilder().u32(6).u32(5).string("root").string("/").u32(0);
    expect(errnoOf(() => client.call(104, attach))).toBe("EBADF");
  });

  test("know the trees by name, and keep a fid in use", () => {
    const { client } = world();
    expect(errnoOf(() => client.attach(5, 0, "/nowhere"))).toBe("ENOENT");
    expect(errnoOf(() => client.attach(0, 0))).toBe("EBADF");
    expect(errnoOf(() => client.attach(NOFID, 0))).toBe("EBADF");
    expect(client.attach(5, 1000)).toMatchObject({ type: 0x80, version: 0, path: 1 });
  });
});

describe("Twalk", () => {
  test("says how far it came, and makes a fid only when it arrives", () => {
    const { client } = world();
    expect(client.walkTo(0, 50, ["etc", "deep", "none", "x"])).toHaveLength(2);
    expect(errnoOf(() => client.getattr(50))).toBe("EBADF");
    expect(errnoOf(() => client.walkTo(0, 50, ["none"]))).toBe("ENOENT");
    expect(errnoOf(() => client.walkTo(0, 50, ["big", "x"]))).toBe("no error");
    expect(errnoOf(() => client.walkTo(client.at("big"), 50, ["x"]))).toBe("ENOTDIR");
  });

  test("onto its own fid moves it", () => {
    const { client } = world();
    const fid = client.at("etc");
    expect(client.walkTo(fid, fid, ["hostname"])).toHaveLength(1);
    expect(client.getattr(fid).size).toBe(6);
  });

  test("to a fid in use is refused", () => {
    const { client } = world();
    const fid = client.at("etc");
    expect(errnoOf(() => client.walkTo(0, fid, ["big"]))).toBe("EBADF");
  });

  test.each(["", ".", "..", "a/b", "a\0b"])("does not know the name %j", (name) => {
    const { client } = world();
    expect(errnoOf(() => client.walkTo(0, 50, [name]))).toBe("ENOENT");
  });

  test("takes names of 255 bytes and 16 at a time, and no more", () => {
    const { client } = world();
    client.put("n".repeat(255), "");
    expect(client.stat("n".repeat(255)).size).toBe(0);
    expect(errnoOf(() => client.at("n".repeat(256)))).toBe("ENAMETOOLONG");
    expect(errnoOf(() => client.put("n".repeat(256), ""))).toBe("ENAMETOOLONG");
    expect(errnoOf(() => client.walkTo(0, 50, Array(17).fill("etc")))).toBe("EINVAL");
  });

  test("clones open fids, as Linux does for files without a name", () => {
    const { client } = world();
    const fid = client.walk(0);
    client.create(fid, "f");
    client.unlink(0, "f");
    expect(client.getattr(client.walk(fid)).nlink).toBe(0);
  });

  test("stops at the limit of fids", () => {
    const { client } = world({ maxFids: 3 });
    client.at("etc");
    const fid = client.at("etc");
    expect(errnoOf(() => client.at("etc"))).toBe("EMFILE");
    client.clunk(fid);
    client.at("etc");
  });
});

describe("Tlopen, Tlcreate, Tread, Twrite", () => {
  test("an open mode says what a fid may do", () => {
    const { client } = world();
    const reader = client.at("big");
    expect(errnoOf(() => client.read(reader, 0, 1))).toBe("EBADF");
    client.open(reader, 0);
    expect(errnoOf(() => client.write(reader, 0, "x"))).toBe("EBADF");
    expect(errnoOf(() => client.open(reader, 0))).toBe("EBADF");
    const writer = client.at("big");
    client.open(writer, 1);
    expect(errnoOf(() => client.read(writer, 0, 1))).toBe("EBADF");
  });

  test("a file of mode 0444 opens for writing: permissions are the guest kernel's", () => {
    const { client } = world();
    const fid = client.walk(0);
    client.create(fid, "ro", 2, 0o444);
    expect(client.write(fid, 0, "x")).toBe(1);
    client.open(client.at("ro"), 2);
  });

  test("folders and links are opened as open(2) lets them be", () => {
    const { client } = world();
    expect(errnoOf(() => client.open(client.at("etc"), 1))).toBe("EISDIR");
    expect(errnoOf(() => client.open(client.at("big"), 0o200000))).toBe("ENOTDIR");
    expect(errnoOf(() => client.open(client.at("link"), 0))).toBe("ELOOP");
    const fid = client.at("etc");
    client.open(fid, 0);
    expect(errnoOf(() => client.read(fid, 0, 10))).toBe("EISDIR");
  });

  test("O_EXCL fails on what is there; without it the file is opened, or cut with O_TRUNC", () => {
    const { client } = world();
    client.put("f", "text");
    expect(errnoOf(() => client.create(client.walk(0), "f", 0o302))).toBe("EEXIST");
    const fid = client.walk(0);
    client.create(fid, "f", 0o102);
    expect(client.read(fid, 0, 10).toString()).toBe("text");
    client.create(client.walk(0), "f", 0o1102);
    expect(client.getattr(fid).size).toBe(0);
    expect(errnoOf(() => client.create(client.walk(0), "etc"))).toBe("EISDIR");
    expect(errnoOf(() => client.create(client.at("big"), "x"))).toBe("ENOTDIR");
  });

  test.each([
    ["", "EINVAL"],
    [".", "EEXIST"],
    ["..", "EEXIST"],
    ["a/b", "EINVAL"],
    ["a\0b", "EINVAL"],
  ])("no file can be named %j", (name, errno) => {
    const { client } = world();
    expect(errnoOf(() => client.create(client.walk(0), name))).toBe(errno);
    expect(errnoOf(() => client.mkdir(0, name))).toBe(errno);
    expect(errnoOf(() => client.mknod(0, name, 0o100644))).toBe(errno);
    expect(errnoOf(() => client.symlink(0, name, "x"))).toBe(errno);
    expect(errnoOf(() => client.link(0, client.at("big"), name))).toBe(errno);
  });

  test("a read is no longer than msize and ends at the end of the file", () => {
    const { client } = world();
    client.version(8192);
    client.attach(0, 0);
    const fid = client.at("big");
    client.open(fid, 0);
    expect(client.read(fid, 0, 2 ** 31)).toHaveLength(8192 - 11);
    expect(client.read(fid, 299_990, 100)).toHaveLength(10);
    expect(client.read(fid, 300_000, 100)).toHaveLength(0);
  });

  test("Tfsync answers", () => {
    const { client } = world();
    client.fsync(client.at("big"));
    client.call(50, new FrameBuilder().u32(client.at("big")));
  });
});

describe("Treaddir", () => {
  test("lists the dots and all entries with their types, in parts of any size", () => {
    const { client } = world();
    const fid = client.at("");
    client.open(fid, 0);
    const entries = client.readdirPart(fid, 0, 4096);
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      [".", 4],
      ["..", 4],
      ["etc", 4],
      ["big", 8],
      ["link", 10],
      ["null", 2],
      ["sudo", 8],
    ]);
    expect(client.names("", 30)).toEqual(["etc", "big", "link", "null", "sudo"]);
    expect(errnoOf(() => client.readdirPart(fid, 0, 10))).toBe("EINVAL");
    expect(errnoOf(() => client.readdirPart(client.at("etc"), 0, 100))).toBe("EBADF");
  });

  test("misses nothing while entries are removed, and repeats nothing while they are made", () => {
    const { client } = world();
    client.mkdir(0, "d");
    const names = Array.from({ length: 50 }, (_, i) => `file${i}`);
    for (const name of names) client.put(`d/${name}`, "");
    const dir = client.at("d");
    const reader = client.at("d");
    client.open(reader, 0);
    const seen: string[] = [];
    for (let offset = 0, round = 0; ; round++) {
      const entries = client
        .readdirPart(reader, offset, 100)
        .filter(({ name }) => name !== "." && name !== "..");
      const last = client.readdirPart(reader, offset, 100).at(-1);
      if (last === undefined) break;
      offset = last.offset;
      for (const { name } of entries) {
        seen.push(name);
        client.unlink(dir, name);
      }
      if (round < 5) client.put(`d/late${round}`, "");
    }
    expect(seen).toEqual([...names, "late0", "late1", "late2", "late3", "late4"]);
    client.rmdir(0, "d");
  });
});

describe("links and removal", () => {
  test("Tsymlink keeps the target as it is, up to PATH_MAX", () => {
    const { client } = world();
    client.symlink(0, "s", "/../no such ☃");
    expect(client.readlink(client.at("s"))).toBe("/../no such ☃");
    expect(client.stat("s")).toMatchObject({ mode: 0o120777, size: 15 });
    expect(errnoOf(() => client.symlink(0, "t", "x".repeat(4096)))).toBe("ENAMETOOLONG");
    expect(errnoOf(() => client.symlink(0, "t", ""))).toBe("ENOENT");
    expect(errnoOf(() => client.readlink(client.at("big")))).toBe("EINVAL");
  });

  test("Tunlinkat tells files from folders", () => {
    const { client } = world();
    expect(errnoOf(() => client.unlink(0, "etc"))).toBe("EISDIR");
    expect(errnoOf(() => client.rmdir(0, "big"))).toBe("ENOTDIR");
    expect(errnoOf(() => client.rmdir(0, "etc"))).toBe("ENOTEMPTY");
    expect(errnoOf(() => client.unlink(0, "none"))).toBe("ENOENT");
    expect(errnoOf(() => client.unlink(0, ".."))).toBe("ENOTEMPTY");
    expect(errnoOf(() => client.unlink(0, "big", 0x400))).toBe("EINVAL");
  });

  test("Tremove removes and clunks, and clunks where it cannot remove", () => {
    const { client, server } = world();
    const fids = server.fidCount;
    client.remove(client.at("big"));
    expect(errnoOf(() => client.at("big"))).toBe("ENOENT");
    expect(errnoOf(() => client.remove(client.at("etc")))).toBe("ENOTEMPTY");
    expect(errnoOf(() => client.remove(client.walk(0)))).toBe("EBUSY");
    expect(server.fidCount).toBe(fids);
  });

  test("Trename moves what the fid stands for", () => {
    const { client } = world();
    const fid = client.at("etc/hostname");
    client.renameFid(fid, 0, "h");
    expect(client.get("h").toString()).toBe("guest\n");
    client.renameFid(fid, client.at("etc"), "again");
    expect(client.get("etc/again").toString()).toBe("guest\n");
  });

  test("nothing is renamed to or from dots", () => {
    const { client } = world();
    expect(errnoOf(() => client.rename(0, "big", 0, ".."))).toBe("EBUSY");
    expect(errnoOf(() => client.rename(0, ".", 0, "x"))).toBe("EBUSY");
  });

  test("two trees have no links between them", () => {
    const other = world();
    const { client } = world({ trees: { other: other.overlay } });
    client.attach(70, 0, "other");
    expect(errnoOf(() => client.link(70, client.at("big"), "x"))).toBe("EXDEV");
    expect(errnoOf(() => client.rename(0, "big", 70, "x"))).toBe("EXDEV");
  });
});
