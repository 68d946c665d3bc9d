import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** What package managers and git are given: each as plain files in a folder that a web server serves. */

/** A registry of one package, `@mom/tiny` 1.0.0, whose answers are at `/npm/@mom/tiny`. */
export function writeNpmRegistry(folder: string, url: string): void {
  const npm = join(folder, "npm");
  mkdirSync(join(npm, "package"), { recursive: true });
  const manifest = { name: "@mom/tiny", version: "1.0.0", main: "index.js" };
  writeFileSync(join(npm, "package", "package.json"), JSON.stringify(manifest));
  writeFileSync(join(npm, "package", "index.js"), 'module.exports = "tiny but here";\n');
  execFileSync("tar", ["-C", npm, "-czf", join(npm, "mom-tiny-1.0.0.tgz"), "package"]);
  const hash = createHash("sha512").update(readFileSync(join(npm, "mom-tiny-1.0.0.tgz")));
  const dist = {
    tarball: `${url}/npm/mom-tiny-1.0.0.tgz`,
    integrity: `sha512-${hash.digest("base64")}`,
  };
  const versions = { "1.0.0": { ...manifest, dist } };
  const document = { name: "@mom/tiny", "dist-tags": { latest: "1.0.0" }, versions };
  mkdirSync(join(npm, "@mom"));
  writeFileSync(join(npm, "@mom", "tiny"), JSON.stringify(document));
}

/** An index of one package, `mom-tiny` 1.0 as a wheel, at `/pip/mom-tiny/index.html`. */
export function writePipIndex(folder: string): void {
  const index = join(folder, "pip", "mom-tiny");
  const info = join(index, "mom_tiny-1.0.dist-info");
  mkdirSync(info, { recursive: true });
  writeFileSync(join(index, "mom_tiny.py"), 'word = "tiny but here"\n');
  writeFileSync(join(info, "METADATA"), "Metadata-Version: 2.1\nName: mom-tiny\nVersion: 1.0\n");
  writeFileSync(
    join(info, "WHEEL"),
    "Wheel-Version: 1.0\nGenerator: mom\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  const files = ["mom_tiny.py", "METADATA", "WHEEL", "RECORD"].map((name) =>
    name.endsWith(".py") ? name : `mom_tiny-1.0.dist-info/${name}`,
  );
  writeFileSync(join(info, "RECORD"), files.map((name) => `${name},,\n`).join(""));
  const wheel = "mom_tiny-1.0-py3-none-any.whl";
  writeFileSync(join(index, wheel), storedZip(index, files));
  writeFileSync(join(index, "index.html"), `<!DOCTYPE html><a href="${wheel}">${wheel}</a>\n`);
}

/** A repository `repo.git` with two commits, for git's "dumb" protocol: files alone. */
export function writeGitRepository(folder: string): void {
  const work = join(folder, "work");
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_SYSTEM: "/dev/null",
    GIT_AUTHOR_NAME: "Mom",
    GIT_AUTHOR_EMAIL: "mom@mom.test",
    GIT_COMMITTER_NAME: "Mom",
    GIT_COMMITTER_EMAIL: "mom@mom.test",
  };
  const git = (...args: string[]) => execFileSync("git", args, { env, stdio: "pipe" });
  git("init", "-q", "-b", "main", work);
  for (const word of ["first", "second"]) {
    writeFileSync(join(work, "README"), `${word}\n`);
    git("-C", work, "add", ".");
    git("-C", work, "commit", "-q", "-m", word);
  }
  git("clone", "-q", "--bare", work, join(folder, "repo.git"));
  git("-C", join(folder, "repo.git"), "update-server-info");
  rmSync(work, { recursive: true });
}

/** A ZIP archive without compression (PKWARE APPNOTE 6.3.3). */
function storedZip(folder: string, names: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const name of names) {
    const data = readFileSync(join(folder, name));
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(0x21, 8); // 1 January 1980
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    const made = Buffer.from([20, 0]);
    entries.push(Buffer.concat([Buffer.from("PK\x01\x02"), made, common, tail, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, end]);
}
