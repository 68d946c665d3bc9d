import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ImageError } from "./errors.ts";
import type { FlatFiles } from "./flat-files.ts";
import { run } from "./process.ts";
import { readTar } from "./tar.ts";
import { type DirectoryNode, insert, resolveLinks } from "./tree.ts";

/** Put the guest's own programs into the tree: scripts can be run, the rest can be read. */
export async function overlayGuest(
  root: DirectoryNode,
  files: FlatFiles,
  guest: ReadonlyMap<string, Uint8Array>,
  mtime: number,
): Promise<void> {
  for (const [path, data] of guest) {
    const mode = data[0] === 0x23 && data[1] === 0x21 ? 0o755 : 0o644;
    await putFile(root, files, path, { data, mode, mtime });
  }
}

/** npm from its registry package, at /usr/lib/node_modules/npm, with `npm` and `npx` in /usr/bin. */
export async function overlayNpm(
  root: DirectoryNode,
  files: FlatFiles,
  npm: { version: string; integrity: string },
  workDir: string,
  signal?: AbortSignal,
): Promise<void> {
  const tarball = await downloadNpm(npm, workDir, signal);
  const home = "usr/lib/node_modules/npm";
  for await (const entry of readTar(chunks(gunzipSync(tarball)))) {
    // Every registry tarball has one folder, "package".
    const path = entry.path.slice(1).join("/");
    if (entry.type !== "file" || /^(docs|man)\//.test(path)) continue;
    const data = await collect(entry.body);
    const mode = entry.mode & 0o111 || path.startsWith("bin/") ? 0o755 : 0o644;
    await putFile(root, files, `${home}/${path}`, { data, mode, mtime: entry.mtime });
  }
  for (const name of ["npm", "npx"]) {
    insert(root, ["usr", "bin", name], {
      kind: "symlink",
      mode: 0o777,
      uid: 0,
      gid: 0,
      mtime: 0,
      target: `../lib/node_modules/npm/bin/${name}-cli.js`,
    });
  }
}

async function downloadNpm(
  npm: { version: string; integrity: string },
  workDir: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const folder = await mkdtemp(join(workDir, "npm-"));
  const args = ["pack", `npm@${npm.version}`, "--silent", "--pack-destination", folder];
  await run("npm", args, signal ? { signal } : {});
  const [name] = await readdir(folder);
  const tarball = await readFile(join(folder, name ?? ""));
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (integrity !== npm.integrity) {
    throw new ImageError(
      "BUILD_FAILED",
      `npm ${npm.version} is not what was expected (${integrity}).`,
    );
  }
  return tarball;
}

async function putFile(
  root: DirectoryNode,
  files: FlatFiles,
  path: string,
  { data, mode, mtime }: { data: Uint8Array; mode: number; mtime: number },
): Promise<void> {
  const parts = path.split("/");
  const parent = resolveLinks(root, dirname(path) === "." ? [] : parts.slice(0, -1));
  const stored = await files.add(data);
  insert(root, [...parent, parts.at(-1) ?? ""], {
    kind: "file",
    mode,
    uid: 0,
    gid: 0,
    mtime,
    ...stored,
  });
}

async function* chunks(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}
