import { expect, test } from "vitest";
import { programOf } from "../../workers/language.ts";

function fileOf(source: string): string {
  return Object.keys(programOf("js", source).files ?? {}).join();
}

test("bash runs as it is, in the resident shell", () => {
  expect(programOf("bash", "cd /tmp && x=1")).toEqual({ command: "cd /tmp && x=1" });
});

test("python runs from a file of its own, byte for byte", () => {
  const program = programOf("python", "print('ä')\n");
  expect(program.command).toBe('python3 "$MOM_TURN/main.py"');
  expect(program.files).toEqual({ "main.py": Buffer.from("print('ä')\n") });
});

test.each([
  ["import fs from 'node:fs';"],
  ["import 'node:fs'"],
  ["export const a = 1;"],
  ["const a = await fetch('x');"],
  ["for await (const x of y) {}"],
  ["console.log(import.meta.url)"],
  ["console.log(await 1)"],
  ["const text = 'require(1)'; await 0;"],
])("%j is a module", (source) => {
  expect(fileOf(source)).toBe("main.mjs");
});

test.each([
  ["console.log(1)"],
  ["const fs = require('node:fs');"],
  ["async function f() { await 0 } f();"],
  ["const f = async () => await 0;"],
  ["import('node:fs').then(console.log)"],
  ["// import x from 'y'\nconst a = `\nexport default 1`;"],
  ["return 5"],
  ["#!/usr/bin/env node\nconsole.log(1)"],
  ["this is no JavaScript"],
  ["(".repeat(100_000)],
])("%j is a script", (source) => {
  expect(fileOf(source)).toBe("main.cjs");
});
