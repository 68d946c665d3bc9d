import { describe, expect, test } from "vitest";
import { errnoOf } from "./support/client.ts";
import { world } from "./support/world.ts";

const CREATE = 1;
const REPLACE = 2;
const READ_LOCK = 0;
const WRITE_LOCK = 1;
const UNLOCK = 2;
const SUCCESS = 0;
const BLOCKED = 1;

describe("extended attributes", () => {
  test("are set, read, listed and removed as Linux does it", () => {
    const { client } = world();
    const fid = client.at("big");
    expect(errnoOf(() => client.getxattr(fid, "user.a"))).toBe("ENODATA");
    client.setxattr(fid, "user.a", "one");
    client.setxattr(fid, "security.capability", "\x01\0\x02");
    client.setxattr(fid, "user.empty", "");
    expect(client.getxattr(fid, "user.a")).toBe("one");
    expect(client.getxattr(fid, "user.empty")).toBe("");
    expect(client.getxattr(fid, "")).toBe("user.a\0security.capability\0user.empty\0");
    client.setxattr(fid, "user.a", "two!", REPLACE);
    expect(client.getxattr(fid, "user.a")).toBe("two!");
    client.setxattr(fid, "user.a", "", REPLACE);
    expect(errnoOf(() => client.getxattr(fid, "user.a"))).toBe("ENODATA");
  });

  test("XATTR_CREATE and XATTR_REPLACE are told at once", () => {
    const { client } = world();
    const fid = client.at("big");
    expect(errnoOf(() => client.setxattr(fid, "user.a", "x", REPLACE))).toBe("ENODATA");
    client.setxattr(fid, "user.a", "x", CREATE);
    expect(errnoOf(() => client.setxattr(fid, "user.a", "x", CREATE))).toBe("EEXIST");
  });

  test("bytes must be as many as announced, in order", () => {
    const { client } = world();
    const fid = client.at("big");
    client.xattrCreate(fid, "user.a", 4);
    expect(errnoOf(() => client.write(fid, 1, "ab"))).toBe("EINVAL");
    client.write(fid, 0, "ab");
    expect(errnoOf(() => client.write(fid, 2, "abc"))).toBe("ENOSPC");
    expect(errnoOf(() => client.clunk(fid))).toBe("EINVAL");
    expect(errnoOf(() => client.clunk(fid))).toBe("EBADF");
    expect(errnoOf(() => client.getxattr(client.at("big"), "user.a"))).toBe("ENODATA");
  });

  test("sizes, names and the number of fids are bounded", () => {
    const { client } = world();
    expect(errnoOf(() => client.xattrCreate(client.at("big"), "user.a", 65537))).toBe("E2BIG");
    expect(errnoOf(() => client.xattrCreate(client.at("big"), "user.a", 2n ** 64n - 1n))).toBe(
      "E2BIG",
    );
    expect(errnoOf(() => client.xattrCreate(client.at("big"), "x".repeat(256), 1))).toBe("ERANGE");
    const many = () => {
      for (let i = 0; i < 1000; i++) client.xattrCreate(client.at("big"), "user.a", 65536);
    };
    expect(errnoOf(many)).toBe("EMFILE");
  });

  test("a fid of an attribute is no file", () => {
    const { client } = world();
    const fid = client.at("big");
    client.xattrCreate(fid, "user.a", 4);
    expect(errnoOf(() => client.getattr(fid))).toBe("EBADF");
    expect(errnoOf(() => client.read(fid, 0, 1))).toBe("EBADF");
    expect(errnoOf(() => client.walk(fid))).toBe("EBADF");
  });
});

describe("locks", () => {
  function twoOwners() {
    const { client } = world();
    const fids = [client.at("big"), client.at("big")] as const;
    for (const fid of fids) client.open(fid, 2);
    return { client, a: fids[0], b: fids[1] };
  }

  test("another process is blocked until the owner unlocks", () => {
    const { client, a, b } = twoOwners();
    expect(client.lock(a, WRITE_LOCK, 0, 0, 1)).toBe(SUCCESS);
    expect(client.lock(b, READ_LOCK, 5, 1, 2)).toBe(BLOCKED);
    expect(client.getlock(b, READ_LOCK, 5, 1, 2)).toEqual({
      type: WRITE_LOCK,
      start: 0,
      length: 0,
      pid: 1,
    });
    expect(client.lock(a, UNLOCK, 0, 0, 1)).toBe(SUCCESS);
    expect(client.getlock(b, READ_LOCK, 5, 1, 2).type).toBe(UNLOCK);
    expect(client.lock(b, READ_LOCK, 5, 1, 2)).toBe(SUCCESS);
  });

  test("readers share, and ranges apart do not meet", () => {
    const { client, a, b } = twoOwners();
    expect(client.lock(a, READ_LOCK, 0, 100, 1)).toBe(SUCCESS);
    expect(client.lock(b, READ_LOCK, 0, 100, 2)).toBe(SUCCESS);
    expect(client.lock(b, WRITE_LOCK, 50, 10, 2)).toBe(BLOCKED);
    expect(client.lock(b, WRITE_LOCK, 100, 10, 2)).toBe(SUCCESS);
  });

  test("unlocking the middle leaves both ends", () => {
    const { client, a, b } = twoOwners();
    client.lock(a, WRITE_LOCK, 0, 30, 1);
    client.lock(a, UNLOCK, 10, 10, 1);
    expect(client.lock(b, WRITE_LOCK, 10, 10, 2)).toBe(SUCCESS);
    expect(client.lock(b, WRITE_LOCK, 9, 1, 2)).toBe(BLOCKED);
    expect(client.lock(b, WRITE_LOCK, 20, 1, 2)).toBe(BLOCKED);
  });

  test("clunking the fid lets go", () => {
    const { client, a, b } = twoOwners();
    client.lock(a, WRITE_LOCK, 0, 0, 1);
    client.clunk(a);
    expect(client.lock(b, WRITE_LOCK, 0, 0, 2)).toBe(SUCCESS);
  });
});
