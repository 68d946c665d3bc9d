import type { Client } from "./client.ts";
import { FrameBuilder } from "./frames.ts";

/** One session that sends every message a Linux guest sends: what the corpus of the fuzzer is recorded from. */
export function playSession(client: Client): void {
  client.version(65536);
  client.attach(0, 0);
  client.attach(900, 1000);
  const etc = client.at("etc");
  client.walk(0, "etc", "hostname");
  client.getattr(etc);
  client.statfs(0);

  const file = client.walk(0);
  client.create(file, "file", 0o102, 0o644);
  client.write(file, 0, "some text");
  client.write(file, 5 * 2 ** 30, "far away");
  client.read(file, 0, 4096);
  client.fsync(file);
  client.setattr(file, {
    valid: 0x1bf,
    mode: 0o600,
    uid: 5,
    gid: 6,
    size: 100,
    atime: [1, 2],
    mtime: [3, 4],
  });

  const big = client.at("big");
  client.open(big, 2);
  client.read(big, 100_000, 8192);
  client.write(big, 70_000, Buffer.alloc(600, "x"));
  client.truncate(big, 80_000);
  client.lock(big, 1, 0, 0, 77);
  client.getlock(big, 0, 5, 10, 78);
  client.lock(big, 2, 0, 0, 77);

  client.mkdir(0, "dir");
  const dir = client.at("dir");
  client.mknod(dir, "fifo", 0o010644);
  client.mknod(dir, "device", 0o020600, 1, 3);
  client.symlink(dir, "link", "../etc/hostname");
  client.readlink(client.at("dir/link"));
  client.link(dir, file, "hard");
  client.rename(dir, "hard", etc, "moved");
  client.renameFid(client.at("etc/moved"), dir, "again");
  client.rename(etc, "deep", dir, "deep");

  const listing = client.walk(dir);
  client.open(listing, 0o200000);
  client.readdirPart(listing, 0, 4096);
  client.readdirPart(listing, 3, 100);

  const xattr = client.walk(file);
  client.xattrCreate(xattr, "user.name", 5);
  client.write(xattr, 0, "value");
  client.clunk(xattr);
  const value = client.freshFid();
  client.xattrWalk(file, value, "user.name");
  client.read(value, 0, 100);
  const list = client.freshFid();
  client.xattrWalk(file, list, "");
  client.read(list, 0, 100);

  client.unlink(0, "file");
  client.unlink(dir, "fifo");
  client.write(file, 50, "unlinked and still written");
  client.mkdir(dir, "gone");
  client.rmdir(dir, "gone");
  client.remove(client.at("dir/device"));
  client.flush(4);
  client.call(24, new FrameBuilder().u32(0).u64(0x3fff), 9);
  for (const fid of [listing, value, list, big, dir]) client.clunk(fid);
}
