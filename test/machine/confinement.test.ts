import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { confinement } from "../../workers/machine/confinement.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-confined-"));
  for (const name of ["image", "base", "blobs", "scratch", "other"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "file"), name);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a line of JavaScript in a process confined as a machine's: what it prints, or the code of its error. */
function confined(line: string): string {
  const files = {
    image: join(folder, "image"),
    base: join(folder, "base"),
    blobs: join(folder, "blobs"),
    scratch: join(folder, "scratch"),
    bases: null,
  };
  const program = `
    const fs = require("node:fs");
    const folder = ${JSON.stringify(folder)};
    try { console.log(${line}); } catch (error) { console.log(error.code ?? String(error)); }`;
  const { stdout } = spawnSync(
    process.execPath,
    [...confinement(files), "--input-type=commonjs", "-e", program],
    { env: {}, encoding: "utf8" },
  );
  return stdout.trim();
}

const read = (name: string) => `fs.readFileSync(folder + "/${name}/file", "utf8")`;
const write = (name: string) => `fs.writeFileSync(folder + "/${name}/new", "") ?? "written"`;

test.each(["image", "base", "blobs", "scratch"])("a machine's process reads its %s", (name) => {
  expect(confined(read(name))).toBe(name);
});

test.each(["blobs", "scratch"])("it writes into its %s", (name) => {
  expect(confined(write(name))).toBe("written");
});

test.each([
  ["write into its image", write("image")],
  ["write into its base", write("base")],
  ["read other data", read("other")],
  ["read the system's files", 'fs.readFileSync("/etc/passwd", "utf8")'],
  ["start a program", 'require("node:child_process").execSync("id")'],
  ["start a thread", 'new (require("node:worker_threads").Worker)("1", { eval: true })'],
  ["load native code", 'process.dlopen({ exports: {} }, folder + "/blobs/file")'],
])("it can not %s", (_name, line) => {
  expect(confined(line)).toMatch(/^ERR_(ACCESS_DENIED|DLOPEN_DISABLED)$/);
});
