import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

/** What has to hold for the repository itself. */

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)));
const sources = files.filter((path) => /\.(ts|cjs|json|md|yml|sh|js|html|css)$/.test(path));

describe("packages", () => {
  const manifest: { dependencies: object; devDependencies: object } = JSON.parse(
    read("package.json"),
  );
  const dependencies = { ...manifest.dependencies, ...manifest.devDependencies };

  test.each(Object.entries(dependencies))("%s is pinned to an exact version", (_name, version) => {
    expect(version).toMatch(/^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  test("package-lock.json is of this package.json, and names no registry", () => {
    const lock = JSON.parse(read("package-lock.json"));
    expect(lock.packages[""].dependencies).toEqual(manifest.dependencies);
    expect(lock.packages[""].devDependencies).toEqual(manifest.devDependencies);
    expect(read("package-lock.json")).not.toMatch(/"resolved"/);
  });
});

describe("shell scripts", () => {
  const scripts = files.filter((path) => {
    const isText = statSync(join(root, path)).isFile() && !/\.(ts|js|md|json|svg|png)$/.test(path);
    return isText && /^#!\s*\/(usr\/)?bin\/(env )?(ba|da)?sh\b/.test(read(path));
  });

  test.each(scripts)("%s parses", (path) => {
    const shell = /bash/.test(read(path).split("\n")[0] ?? "") ? "bash" : "sh";
    execFileSync(shell, ["-n", join(root, path)]);
  });

  test.each(["mom", ".ci/run"])("%s can be run", (path) => {
    expect(scripts).toContain(path);
    expect(statSync(join(root, path)).mode & 0o111).toBe(0o111);
  });

  test(".ci/run calls ./mom test and nothing else", () => {
    const lines = read(".ci/run").trim().split("\n");
    expect(lines).toEqual(["#!/usr/bin/env bash", 'exec "$(dirname "$0")/../mom" test']);
  });
});

describe("documents", () => {
  const documents = files.filter((path) => path.endsWith(".md"));

  test.each(documents)("every link of %s leads somewhere", (path) => {
    const links = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    const missing = links
      .filter((link) => !/^(https?:|mailto:)/.test(link))
      .filter((link) => {
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? path : join(dirname(path), file);
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
      });
    expect(missing).toEqual([]);
  });

  test("every setting of the schema is in docs/operations.md and .env.example", async () => {
    const { settings } = await import("../../src/config/settings.ts");
    for (const name of Object.keys(settings)) {
      expect(read("docs/operations.md")).toContain(`\`${name}\``);
      expect(read(".env.example")).toContain(`${name}=`);
    }
  });

  test("every command named in the documents exists", async () => {
    const known = execFileSync(process.execPath, [join(root, "src/cli/main.js"), "--help"], {
      encoding: "utf8",
    });
    for (const path of documents) {
      for (const [, command] of read(path).matchAll(/\.\/mom ([a-z]+)/g)) {
        expect(known, `${path} names ./mom ${command}`).toContain(`  ${command}`);
      }
    }
  });
});

test("no source file is over 400 lines", () => {
  const long = sources
    .filter((path) => path.endsWith(".ts") && !path.startsWith("test/"))
    .filter((path) => read(path).split("\n").length > 401);
  expect(long).toEqual([]);
});

function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
