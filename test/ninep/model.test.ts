import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { integersFrom } from "../support/random.ts";
import { type Client, errnoOf } from "./support/client.ts";
import { temporaryFolder, world } from "./support/world.ts";

/**
 * The overlay against the host's own file system: the same random operations on both, the same results wanted, errors
 * and all. `MOM_SEED` runs another round.
 */
const seeds = process.env.MOM_SEED ? [Number(process.env.MOM_SEED)] : [1, 2, 3, 4, 5, 6];
const STEPS = 2500;
const NAMES = ["a", "b", "c", "d"];
const MAX_BYTES = 300_000;
const { constants: C } = fs;

interface Handle {
  fid: number;
  fd: number;
}

test.each(seeds)(
  "random operations have the results that the host's file system gives them (seed %i)",
  (seed) => {
    const random = integersFrom(seed);
    const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item;
    const host = join(temporaryFolder(), "host");
    const { client, overlay, server } = world({
      memoryBytes: 0,
      cacheBytes: 200_000,
      index: (builder) => {
        const big = Buffer.alloc(200_000, "image");
        fs.mkdirSync(join(host, "a/b"), { recursive: true });
        fs.mkdirSync(join(host, "d"));
        fs.writeFileSync(join(host, "a/a"), big);
        fs.writeFileSync(join(host, "a/b/c"), "small");
        fs.writeFileSync(join(host, "b"), big);
        fs.symlinkSync("nowhere", join(host, "a/c"));
        const inner = builder.folderNode("b", [builder.file("c", "small")]);
        const a = builder.folderNode("a", [
          builder.file("a", big),
          inner,
          builder.link("c", "nowhere"),
        ]);
        return { version: 3, fsroot: [a, builder.file("b", big), builder.folderNode("d", [])] };
      },
    });
    const handles: Handle[] = [];

    /** Up to three names; seldom one that is not there at all. */
    const somePath = () => Array.from({ length: 1 + random(3) }, () => pick(NAMES)).join("/");
    const onHost = (path: string) => join(host, path);
    /** The same thing on both sides: the same error, or the same answer. */
    const both = (what: string, ours: () => unknown, theirs: () => unknown) => {
      let answer: unknown;
      let expected: unknown;
      const outcome = errnoOf(() => {
        answer = ours();
      });
      const expectedOutcome = hostErrno(() => {
        expected = theirs();
      });
      expect({ what, outcome, answer }, `seed ${seed}`).toEqual({
        what,
        outcome: expectedOutcome,
        answer: expected,
      });
      return outcome === "no error";
    };
    const data = () => Buffer.alloc(1 + random(random(4) === 0 ? 100_000 : 3000), `${random(1e9)}`);

    const operations: Record<string, () => void> = {
      create() {
        const path = somePath();
        const flags = pick([0, C.O_EXCL, C.O_TRUNC]) | C.O_CREAT | C.O_RDWR | C.O_NOFOLLOW;
        if (handles.length > 6) return;
        const handle: Handle = { fid: 0, fd: 0 };
        const done = both(
          `create ${path} ${flags}`,
          () => {
            const [dir, name] = parent(client, path);
            client.create(dir, name, flags, 0o640);
            handle.fid = dir;
          },
          () => {
            handle.fd = fs.openSync(onHost(path), flags, 0o640);
          },
        );
        if (!done) return;
        handles.push(handle);
        client.walked.splice(client.walked.indexOf(handle.fid), 1);
      },
      close() {
        const [handle] = handles.splice(random(handles.length), 1);
        if (handle === undefined) return;
        client.clunk(handle.fid);
        fs.closeSync(handle.fd);
      },
      write() {
        if (handles.length === 0) return;
        const { fid, fd } = pick(handles);
        const bytes = data();
        const at = random(MAX_BYTES);
        both(
          `write ${at} ${bytes.length}`,
          () => client.write(fid, at, bytes),
          () => fs.writeSync(fd, bytes, 0, bytes.length, at),
        );
      },
      read() {
        if (handles.length === 0) return;
        const { fid, fd } = pick(handles);
        const buffer = Buffer.alloc(random(150_000));
        const at = random(MAX_BYTES);
        both(
          `read ${at} ${buffer.length}`,
          () => client.read(fid, at, buffer.length),
          () => buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, at)),
        );
      },
      truncateHandle() {
        if (handles.length === 0) return;
        const { fid, fd } = pick(handles);
        const size = random(MAX_BYTES);
        both(
          `ftruncate ${size}`,
          () => client.truncate(fid, size),
          () => fs.ftruncateSync(fd, size),
        );
      },
      statHandle() {
        if (handles.length === 0) return;
        const { fid, fd } = pick(handles);
        both(
          "fstat",
          () => shape(client.getattr(fid)),
          () => shape(fs.fstatSync(fd)),
        );
      },
      mkdir() {
        const path = somePath();
        both(
          `mkdir ${path}`,
          () => {
            const [dir, name] = parent(client, path);
            client.mkdir(dir, name, 0o750);
          },
          () => fs.mkdirSync(onHost(path), 0o750),
        );
      },
      unlink() {
        const path = somePath();
        both(
          `unlink ${path}`,
          () => client.unlink(...parent(client, path)),
          () => fs.unlinkSync(onHost(path)),
        );
      },
      rmdir() {
        const path = somePath();
        both(
          `rmdir ${path}`,
          () => client.rmdir(...parent(client, path)),
          () => fs.rmdirSync(onHost(path)),
        );
      },
      rename() {
        const [from, to] = [somePath(), somePath()];
        // The guest's kernel answers this one itself.
        if (from.startsWith(`${to}/`)) return;
        both(
          `rename ${from} ${to}`,
          () => client.rename(...parent(client, from), ...parent(client, to)),
          () => fs.renameSync(onHost(from), onHost(to)),
        );
      },
      link() {
        const [from, to] = [somePath(), somePath()];
        both(
          `link ${from} ${to}`,
          () => {
            const file = resolve(client, from);
            const [dir, name] = parent(client, to);
            client.link(dir, file, name);
          },
          () => fs.linkSync(onHost(from), onHost(to)),
        );
      },
      symlink() {
        const path = somePath();
        both(
          `symlink ${path}`,
          () => {
            const [dir, name] = parent(client, path);
            client.symlink(dir, name, "nowhere");
          },
          () => fs.symlinkSync("nowhere", onHost(path)),
        );
      },
      readlink() {
        const path = somePath();
        both(
          `readlink ${path}`,
          () => client.readlink(resolve(client, path)),
          () => fs.readlinkSync(onHost(path)),
        );
      },
      stat() {
        const path = somePath();
        both(
          `stat ${path}`,
          () => shape(client.getattr(resolve(client, path))),
          () => shape(fs.lstatSync(onHost(path))),
        );
      },
      chmod() {
        const path = somePath();
        // No set-gid: that new folders inherit it is done by the guest's kernel (v9fs_vfs_mkdir_dotl).
        const mode = random(0o10000) & ~0o2000;
        if (isLink(onHost(path))) return;
        both(
          `chmod ${path}`,
          () => client.setattr(resolve(client, path), { valid: 1, mode }),
          () => fs.chmodSync(onHost(path), mode),
        );
      },
      utimes() {
        const path = somePath();
        const [atime, mtime] = [random(2 ** 31), random(2 ** 31)];
        both(
          `utimes ${path}`,
          () => {
            const fid = resolve(client, path);
            client.setattr(fid, { valid: 0x1b0, atime: [atime, 0], mtime: [mtime, 0] });
            return client.getattr(fid).mtime;
          },
          () => {
            fs.lutimesSync(onHost(path), atime, mtime);
            return fs.lstatSync(onHost(path)).mtimeMs / 1000;
          },
        );
      },
      readdir() {
        const path = somePath();
        both(
          `readdir ${path}`,
          () => list(client, path),
          () => fs.readdirSync(onHost(path)).sort(),
        );
      },
      saveAndLoad() {
        if (random(4) > 0) return;
        const before = overlay.usage();
        const state = JSON.parse(
          JSON.stringify({ overlay: overlay.save(), server: server.save() }),
        );
        overlay.load(state.overlay);
        server.load(state.server);
        expect(overlay.usage(), `seed ${seed}`).toEqual(before);
      },
    };
    const names = Object.keys(operations);
    // Otherwise everything is removed as soon as it is made.
    names.push("create", "create", "mkdir", "write", "write", "link", "rename");

    // fids that single operations walked to are given back now and then, as the guest's dentry cache does.
    for (let step = 0; step < STEPS; step++) {
      operations[pick(names)]?.();
      if (step % 50 === 0) {
        for (const fid of client.takeWalked()) client.clunk(fid);
      }
    }

    for (const path of fs.readdirSync(host, { recursive: true }).map(String)) {
      const stat = fs.lstatSync(onHost(path));
      both(
        `last stat ${path}`,
        () => shape(client.getattr(resolve(client, path))),
        () => shape(stat),
      );
      if (stat.isFile())
        expect(
          client.get(path).equals(fs.readFileSync(onHost(path))),
          `${path}, seed ${seed}`,
        ).toBe(true);
      if (stat.isDirectory())
        both(
          `last list ${path}`,
          () => list(client, path),
          () => fs.readdirSync(onHost(path)).sort(),
        );
    }
    for (const { fd } of handles) fs.closeSync(fd);
    // With all fids gone, what is charged is what the names still hold.
    client.version(65536);
    const usage = overlay.usage();
    overlay.load(JSON.parse(JSON.stringify(overlay.save())));
    expect(overlay.usage(), `seed ${seed}`).toEqual(usage);
  },
);

function isLink(path: string): boolean {
  try {
    return fs.lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** One name at a time, as the guest's kernel walks. */
function resolve(client: Client, path: string): number {
  let fid = 0;
  for (const name of path.split("/")) {
    if ((client.getattr(fid).mode & 0o170000) === 0o120000) failWithNoEntry(client);
    fid = client.walk(fid, name);
    client.walked.push(fid);
  }
  return fid;
}

/** A link among folders: the host follows it, and it leads nowhere. */
function failWithNoEntry(client: Client): never {
  client.walk(0, "no such name");
  throw new Error("the name was there");
}

function parent(client: Client, path: string): [dir: number, name: string] {
  const names = path.split("/");
  const name = names.pop() ?? "";
  const above = names.length === 0 ? 0 : resolve(client, names.join("/"));
  const mode = client.getattr(above).mode & 0o170000;
  if (mode === 0o120000) failWithNoEntry(client);
  if (mode !== 0o040000) client.walk(above, "not a folder");
  const dir = client.walk(above);
  client.walked.push(dir);
  return [dir, name];
}

function list(client: Client, path: string): string[] {
  const fid = resolve(client, path);
  const mode = client.getattr(fid).mode & 0o170000;
  if (mode === 0o120000) failWithNoEntry(client);
  client.open(client.walk(fid), 0o200000);
  return client.names(path, 100).sort();
}

function shape(stat: { mode: number; nlink: number; size: number }) {
  const isFolder = (stat.mode & 0o170000) === 0o040000;
  return { mode: stat.mode, nlink: stat.nlink, size: isFolder ? 0 : stat.size };
}

function hostErrno(call: () => unknown): string {
  try {
    call();
    return "no error";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return code;
  }
}
