import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NATIVE_TOOLS } from "../../images/i386-programs.ts";

/** A tree of another computer's is lent this one's programs. A test's tree has nothing that could run by itself. */

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mom-tree-"));
  for (const folder of ["usr/lib", "run", "etc"])
    mkdirSync(join(root, folder), { recursive: true });
  symlinkSync("usr/lib", join(root, "lib"));
  writeFileSync(join(root, "etc/words"), "one\ntwo\n");
});
afterEach(() => rmSync(root, { recursive: true }));

function hook(action: "lend" | "take-back"): void {
  const { status, stderr } = spawnSync(NATIVE_TOOLS.script, [action, root], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
}

/** In the tree, by the path on which an installation looks for it. */
function inside(tool: string, ...args: string[]) {
  const command = [root, join(NATIVE_TOOLS.folder, tool), ...args];
  const { stdout, stderr, status } = spawnSync("chroot", command, { encoding: "utf8" });
  return { stdout, stderr, status };
}

const everything = () => readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
const lent = () =>
  readdirSync(join(root, NATIVE_TOOLS.folder)).filter((name) => /^[a-z-]+$/.test(name));

const cannot = process.getuid?.() === 0 ? "" : "not root";

test.skipIf(cannot !== "")(`they run in it, and it is afterwards as it was ${cannot}`, () => {
  const before = everything();
  hook("lend");
  expect(lent()).toEqual(expect.arrayContaining(["dpkg-deb", "sed", "tar"]));
  for (const tool of lent()) {
    const { stdout } = spawnSync(tool, ["--version"], { encoding: "utf8" });
    const { status, ...said } = inside(tool, "--version");
    // Some name themselves as they were started.
    expect(said.stdout.replace(`${NATIVE_TOOLS.folder}/`, "")).toBe(stdout);
    expect([status, said.stderr]).toEqual([0, ""]);
  }
  expect(inside("sed", "s/o/0/", "/etc/words").stdout).toBe("0ne\ntw0\n");
  expect(inside("rm", "/etc/words").status).toBe(0);
  writeFileSync(join(root, "etc/words"), "");
  hook("take-back");
  expect(everything()).toEqual(before);
});

test.skipIf(cannot !== "")(`they need no /lib64, which merging /usr takes away ${cannot}`, () => {
  hook("lend");
  expect(existsSync(join(root, "lib64"))).toBe(false);
  expect(inside("ls", "/etc").stdout).toBe("words\n");
});

test("what the tree has itself stays its own", () => {
  hook("lend");
  const [library] = readFileSync(join(root, NATIVE_TOOLS.folder, ".lent"), "utf8").split("\n");
  hook("take-back");
  const own = join(root, library ?? expect.fail("no library was lent"));
  mkdirSync(join(own, ".."), { recursive: true });
  writeFileSync(own, "own");
  hook("lend");
  hook("take-back");
  expect(readFileSync(own, "utf8")).toBe("own");
});
