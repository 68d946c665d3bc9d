import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const START = resolve(import.meta.dirname, "../../src/start");
let root: string;
let cache: string;

/** A checkout of one program, which imports one module with types. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mom-start-"));
  cache = join(root, "node_modules/.cache/mom", process.version);
  cpSync(START, join(root, "src/start"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(root, "main.js"),
    'import { useStrippedSources } from "./src/start/stripped-sources.js";\nuseStrippedSources();\nawait import("./said.ts");\n',
  );
  says("one");
});
afterEach(() => rmSync(root, { recursive: true }));

function says(word: string): void {
  writeFileSync(join(root, "said.ts"), `const word: string = "${word}";\nconsole.log(word);\n`);
}

/** Standard output and standard error. */
function run(...options: string[]): string {
  const args = ["-c", '"$@" 2>&1', "sh", process.execPath, ...options, join(root, "main.js")];
  return execFileSync("sh", args, { encoding: "utf8" });
}

function cached(): string[] {
  return readdirSync(cache).map((name) => join(cache, name));
}

test("a source is stripped once, without a word, and again when it has changed", () => {
  expect(run()).toBe("one\n");
  const [path = ""] = cached();
  const stripped = readFileSync(path, "utf8");
  expect(stripped).toMatch(/^const word {9}= "one";\n/);
  writeFileSync(path, stripped.replace("one", "out of the cache"));
  expect(run()).toBe("out of the cache\n");
  says("two");
  expect(run()).toBe("two\n");
  expect(cached()).toHaveLength(2);
});

test("a place in the source is told as it is there", () => {
  writeFileSync(
    join(root, "said.ts"),
    'type A = {\n  a: 1;\n};\n\nthrow new Error("here") as A & Error;\n',
  );
  for (let time = 0; time < 2; time++) {
    let said = "";
    try {
      run();
    } catch (error) {
      said = String((error as { stdout: string }).stdout);
    }
    expect(said).toContain("said.ts:5:7");
  }
});

test("a process that may not write reads what others have kept, and runs without it, too", () => {
  const confined = ["--permission", `--allow-fs-read=${root}`];
  expect(run(...confined)).toBe("one\n");
  expect(() => cached()).toThrow("ENOENT");
  run();
  const [path = ""] = cached();
  writeFileSync(path, "console.log('kept');");
  expect(run(...confined)).toBe("kept\n");
});

test("what is kept beforehand is there for a process that may not write", () => {
  mkdirSync(join(root, "room/inner"), { recursive: true });
  writeFileSync(join(root, "room/inner/word.ts"), 'export const word: string = "inside";\n');
  writeFileSync(join(root, "room/types.d.ts"), "declare const nothing: never;\n");
  writeFileSync(join(root, "room/readme.md"), "no source");
  writeFileSync(
    join(root, "said.ts"),
    'import { keepStripped } from "./src/start/stripped-sources.js";\nkeepStripped(["room"]);\n',
  );
  run();
  const before = cached().length;
  run();
  expect(cached()).toHaveLength(before);
  const kept = cached().find((path) => readFileSync(path, "utf8").includes("inside"));
  writeFileSync(kept ?? "", 'export const word = "kept";');
  writeFileSync(
    join(root, "said.ts"),
    'import { word } from "./room/inner/word.ts";\nconsole.log(word);\n',
  );
  expect(run("--permission", `--allow-fs-read=${root}`)).toBe("kept\n");
});

test("where no cache can be, all runs as before", () => {
  mkdirSync(join(root, "node_modules"));
  writeFileSync(join(root, "node_modules/.cache"), "in the way");
  expect(run()).toBe("one\n");
  expect(run()).toBe("one\n");
});
