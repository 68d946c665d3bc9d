import { execFileSync } from "node:child_process";
import { createReadStream } from "node:fs";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { treeFromTar } from "../../images/convert.ts";
import { openTarball } from "../../images/decompress.ts";
import { FlatFiles } from "../../images/flat-files.ts";
import { type FsJsonNode, toFsJson } from "../../images/fs-json.ts";
import { lookup, resolveLinks } from "../../images/tree.ts";

let folder: string;
let files: FlatFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-convert-"));
  files = await FlatFiles.create(join(folder, "files"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A tree on disk with what a root tree has, and its tarball. */
async function sampleTarball(): Promise<{ root: string; tarball: string }> {
  const root = join(folder, "root");
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await writeFile(join(root, "usr/bin/tool"), "#!/bin/sh\necho hi\n", { mode: 0o755 });
  await writeFile(join(root, "usr/same"), "#!/bin/sh\necho hi\n");
  await writeFile(join(root, "usr/big"), Buffer.alloc(6 << 20, "big"));
  await writeFile(join(root, "usr/big-again"), Buffer.alloc(6 << 20, "big"));
  await writeFile(join(root, "usr/empty"), "");
  await symlink("usr/bin", join(root, "bin"));
  await symlink("../nowhere", join(root, "usr/dangling"));
  await mkdir(join(root, "tmp"));
  execFileSync("chmod", ["1777", join(root, "tmp")]);
  execFileSync("chmod", ["4755", join(root, "usr/bin/tool")]);
  execFileSync("ln", [join(root, "usr/bin/tool"), join(root, "usr/bin/tool2")]);
  execFileSync("mkfifo", [join(root, "pipe")]);
  const tarball = join(folder, "root.tar");
  execFileSync("tar", ["-C", root, "-cf", tarball, "."]);
  return { root, tarball };
}

async function expectSame(node: FsJsonNode, path: string): Promise<void> {
  const [name, size, mtime, mode, uid, gid, content] = node;
  const real = await lstat(path);
  expect({ name, mode, uid, gid, mtime }, path).toEqual({
    name: path.split("/").at(-1),
    mode: real.mode,
    uid: real.uid,
    gid: real.gid,
    mtime: Math.floor(real.mtimeMs / 1000),
  });
  if (real.isFile()) {
    expect(size).toBe(real.size);
    const flat = await readFile(join(files.folder, String(content)));
    expect(flat.equals(await readFile(path)), path).toBe(true);
  } else if (real.isSymbolicLink()) expect(content).toBe(await readlink(path));
  else if (real.isDirectory()) {
    const children = content as FsJsonNode[];
    expect(children.map(([child]) => child).sort()).toEqual((await readdir(path)).sort());
    for (const child of children) await expectSame(child, join(path, child[0]));
  } else expect(content).toBeUndefined();
}

test("a tarball's fs.json has the names, bytes, modes, owners, times and links of the tree", async () => {
  const { root, tarball } = await sampleTarball();
  const tree = await treeFromTar(createReadStream(tarball), files);
  const json = toFsJson(tree);
  expect(json.version).toBe(3);
  const names = json.fsroot.map(([name]) => name);
  expect(names).toEqual((await readdir(root)).sort());
  for (const node of json.fsroot) await expectSame(node, join(root, node[0]));
});

test("equal contents are stored once", async () => {
  const { tarball } = await sampleTarball();
  await treeFromTar(createReadStream(tarball), files);
  // The script (three names), the big one (two), the empty one.
  expect((await readdir(files.folder)).length).toBe(3);
});

test.each([
  ["gzip", ["gzip"]],
  ["xz", ["xz", "-0", "-T1"]],
  ["zstd", ["zstd", "-q"]],
])("a tarball compressed by %s reads the same", async (_, [tool = "", ...args]) => {
  const { tarball } = await sampleTarball();
  const plain = toFsJson(await treeFromTar(openTarball(tarball), files));
  const packed = join(folder, "packed");
  await writeFile(packed, execFileSync(tool, [...args, "-c", tarball], { maxBuffer: 1 << 28 }));
  expect(toFsJson(await treeFromTar(openTarball(packed), files))).toEqual(plain);
});

test.each(["gzip", "xz", "zstd"])("a %s tarball cut short is BAD_ARCHIVE", async (tool) => {
  const { tarball } = await sampleTarball();
  const whole = execFileSync(tool, ["-c", tarball], { maxBuffer: 1 << 28 });
  await writeFile(join(folder, "cut"), whole.subarray(0, whole.length / 2));
  const reading = treeFromTar(openTarball(join(folder, "cut")), files);
  await expect(reading).rejects.toMatchObject({ code: "BAD_ARCHIVE" });
});

test("what is excluded leaves neither a name nor bytes", async () => {
  const { tarball } = await sampleTarball();
  const tree = await treeFromTar(openTarball(tarball), files, (path) =>
    path.startsWith("/usr/big"),
  );
  expect(lookup(tree, ["usr", "big"])).toBeUndefined();
  expect((await readdir(files.folder)).length).toBe(2);
});

describe("an archive that writes through its own links", () => {
  test("is refused, as it would have to escape to be of use", async () => {
    const first = join(folder, "one");
    await mkdir(first);
    await symlink("/etc", join(first, "x"));
    const second = join(folder, "two");
    await mkdir(join(second, "x"), { recursive: true });
    await writeFile(join(second, "x/passwd"), "");
    const tarball = join(folder, "evil.tar");
    execFileSync("tar", ["-C", first, "-cf", tarball, "x"]);
    execFileSync("tar", ["-C", second, "-rf", tarball, "x/passwd"]);
    const reading = treeFromTar(openTarball(tarball), files);
    await expect(reading).rejects.toMatchObject({ code: "BAD_ARCHIVE" });
  });

  test("links to links in circles end in an error when a path is followed", async () => {
    const root = join(folder, "circle");
    await mkdir(root);
    await symlink("b", join(root, "a"));
    await symlink("a", join(root, "b"));
    execFileSync("tar", ["-C", root, "-cf", join(folder, "circle.tar"), "."]);
    const tree = await treeFromTar(openTarball(join(folder, "circle.tar")), files);
    expect(() => resolveLinks(tree, ["a", "x"])).toThrow(/Too many links/);
  });
});
