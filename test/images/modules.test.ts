import { describe, expect, test } from "vitest";
import { matcher } from "../../images/convert.ts";
import { bareModule } from "../../images/initramfs.ts";
import { loadOrder, parseList, parseModulesDep } from "../../images/modules.ts";

const DEP = parseModulesDep(
  [
    "kernel/fs/9p/9p.ko: kernel/fs/fscache/fscache.ko kernel/net/9p/9pnet.ko",
    "kernel/fs/fscache/fscache.ko: kernel/fs/netfs/netfs.ko",
    "kernel/fs/netfs/netfs.ko:",
    "kernel/net/9p/9pnet.ko:",
    "kernel/drivers/char/hw_random/virtio-rng.ko.xz:",
    "",
  ].join("\n"),
);

describe("the order in which modules are loaded", () => {
  test("has each module once, after all that it needs", () => {
    expect(loadOrder(DEP, ["9p", "netfs"])).toEqual([
      "kernel/fs/netfs/netfs.ko",
      "kernel/fs/fscache/fscache.ko",
      "kernel/net/9p/9pnet.ko",
      "kernel/fs/9p/9p.ko",
    ]);
  });
  test("takes - and _ for the same, and a compressed file for the module", () => {
    expect(loadOrder(DEP, ["virtio_rng"])).toEqual([
      "kernel/drivers/char/hw_random/virtio-rng.ko.xz",
    ]);
  });
  test("leaves out what is built into the kernel", () => {
    expect(loadOrder(DEP, ["ext4"])).toEqual([]);
  });
  test("refuses a circle", () => {
    const circle = parseModulesDep("a.ko: b.ko\nb.ko: a.ko\n");
    expect(() => loadOrder(circle, ["a"])).toThrow(/circle/);
  });
});

test("a list has no comments and no empty lines", () => {
  expect(parseList("# head\nvirtio_net # the card\n\n loop\n")).toEqual(["virtio_net", "loop"]);
});

test("a module loses its signature and nothing else", async () => {
  const info = Buffer.alloc(12);
  info.writeUInt32BE(7, 8);
  const mark = Buffer.from("~Module signature appended~\n");
  const signed = Buffer.concat([Buffer.from("ELF"), Buffer.alloc(7, 0xee), info, mark]);
  expect(Buffer.from(await bareModule("a.ko", signed)).toString()).toBe("ELF");
  expect(Buffer.from(await bareModule("a.ko", Buffer.from("ELF"))).toString()).toBe("ELF");
});

test("a signature longer than its module is left alone", async () => {
  const info = Buffer.alloc(12);
  info.writeUInt32BE(1000, 8);
  const odd = Buffer.concat([Buffer.from("x"), info, Buffer.from("~Module signature appended~\n")]);
  expect(await bareModule("a.ko", odd)).toEqual(odd);
});

describe("a glob of what to leave out", () => {
  const isExcluded = matcher(["/usr/share/doc/*", "/a.b", "/x?z"]);
  test.each(["/usr/share/doc/bash", "/usr/share/doc/a/b/c", "/a.b", "/xyz"])(
    "matches %s",
    (path) => {
      expect(isExcluded(path)).toBe(true);
    },
  );
  test.each(["/usr/share/doc", "/usr/share/docs/x", "/aXb", "/a.b/c", "/q/a.b"])(
    "does not match %s",
    (path) => {
      expect(isExcluded(path)).toBe(false);
    },
  );
});
