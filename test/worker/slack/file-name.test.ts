import { expect, test } from "vitest";
import { safeFileName, safeFileNames } from "../../../workers/slack/file-name.ts";

test.each([
  ["data.csv", "data.csv"],
  ["my report (final).pdf", "my report (final).pdf"],
  ["Übersicht.txt", "Übersicht.txt"],
  ["..", "file"],
  [".", "file"],
  ["", "file"],
  ["   ", "file"],
  ["../../etc/passwd", ".._.._etc_passwd"],
  ["/etc/passwd", "_etc_passwd"],
  ["a\\b", "a_b"],
  ["a\0b\nc", "a_b_c"],
  ["-rf", "_rf"],
  ["--help", "_-help"],
  [".bashrc", ".bashrc"],
  ["invoice\u202efdp.exe", "invoice_fdp.exe"],
  ["broken \ud800", "broken \ufffd"],
])("%j becomes %j", (name, safe) => {
  expect(safeFileName(name)).toBe(safe);
});

test("a long name keeps its extension and fits into a directory entry", () => {
  const safe = safeFileName(`${"ä".repeat(300)}.tar.gz`);
  expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(255);
  expect(safe).toMatch(/\.gz$/);
});

test("long names with one beginning stay different", () => {
  expect(safeFileName(`${"x".repeat(300)}1.csv`)).not.toBe(safeFileName(`${"x".repeat(300)}2.csv`));
});

test("equal names are told apart by a number before the extension", () => {
  expect(safeFileNames(["a.csv", "a.csv", "a-2.csv", "a.csv", "b", "b"])).toEqual([
    "a.csv",
    "a-2.csv",
    "a-2-2.csv",
    "a-3.csv",
    "b",
    "b-2",
  ]);
});

test("whatever the names, the safe ones are usable and each is different", () => {
  const names = ["/", "\\", "..", ".", "", "-", "x".repeat(300), `${"x".repeat(300)}`, "\n", "\r"];
  const safe = safeFileNames(names);
  expect(new Set(safe).size).toBe(names.length);
  for (const name of safe) {
    expect(name).not.toMatch(/[/\0\n\r]|^-|^\.{1,2}$|^$/);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  }
});
