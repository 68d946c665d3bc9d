import { expect, test } from "vitest";
import { CPIO_CHAR_DEVICE, CPIO_DIRECTORY, CPIO_FILE, writeCpio } from "../../images/cpio.ts";

/** Reads "newc" by the kernel's buffer-format.rst, independent of the writer. */
function readNewc(archive: Buffer) {
  const entries = [];
  let at = 0;
  for (;;) {
    const magic = archive.toString("latin1", at, at + 6);
    const fields = Array.from({ length: 13 }, (_, index) =>
      Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16),
    );
    const [inode, mode, uid, gid, links, mtime, size = 0, , , major, minor, nameSize = 0] = fields;
    const name = archive.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const dataAt = Math.ceil((at + 110 + nameSize) / 4) * 4;
    at = Math.ceil((dataAt + size) / 4) * 4;
    if (name === "TRAILER!!!") return { entries, end: at };
    const data = archive.toString("utf8", dataAt, dataAt + size);
    entries.push({ magic, inode, mode, uid, gid, links, mtime, major, minor, name, data });
  }
}

const ENTRIES = [
  { path: "bin", mode: CPIO_DIRECTORY | 0o755 },
  { path: "bin/odd", mode: CPIO_FILE | 0o755, data: Buffer.from("12345") },
  { path: "dev-console", mode: CPIO_CHAR_DEVICE | 0o600, device: { major: 5, minor: 1 } },
  { path: "empty", mode: CPIO_FILE | 0o644, data: new Uint8Array(0) },
];

test("an archive holds names, modes, bytes and devices, at offsets that are multiples of four", () => {
  const archive = writeCpio(ENTRIES);
  const { entries, end } = readNewc(archive);
  expect(end).toBe(archive.length);
  expect(entries.map(({ name, mode, data }) => [name, mode, data])).toEqual([
    ["bin", 0o040755, ""],
    ["bin/odd", 0o100755, "12345"],
    ["dev-console", 0o020600, ""],
    ["empty", 0o100644, ""],
  ]);
  expect(entries[2]).toMatchObject({ major: 5, minor: 1 });
  expect(new Set(entries.map(({ inode }) => inode)).size).toBe(ENTRIES.length);
  for (const entry of entries) {
    expect(entry).toMatchObject({ magic: "070701", uid: 0, gid: 0, mtime: 0 });
  }
});

test("equal entries make equal archives", () => {
  expect(writeCpio(ENTRIES).equals(writeCpio(ENTRIES))).toBe(true);
});
