import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTar, splitPath } from "../../images/tar.ts";
import { randomFrom, seed } from "../support/random.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mom-tar-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Feeds an archive in pieces of an awkward size. */
async function* inPieces(data: Uint8Array, size = 777): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function list(archive: Uint8Array, pieces?: number) {
  const found = [];
  for await (const entry of readTar(inPieces(archive, pieces))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.body) chunks.push(chunk);
    const { body: _, ...rest } = entry;
    found.push({ ...rest, path: entry.path.join("/"), data: Buffer.concat(chunks).toString() });
  }
  return found;
}

/** A header block by hand, independent of the reader. */
function header(name: string, type = "0", size = 0, change?: (block: Buffer) => void): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, "latin1");
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(type, 156);
  block.write("ustar\x0000", 257);
  change?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function body(text: string): Buffer {
  const block = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  block.write(text);
  return block;
}

const END = Buffer.alloc(1024);

describe.each(["ustar", "gnu", "pax"])("an archive made by tar --format=%s", (format) => {
  test("gives back names, bytes, modes, owners, times and links", async () => {
    const long = join("d".repeat(60), "e".repeat(60), format === "ustar" ? "f" : "f".repeat(150));
    mkdirSync(join(folder, "in", long, ".."), { recursive: true });
    writeFileSync(join(folder, "in", long), "long");
    writeFileSync(join(folder, "in/plain"), "x".repeat(2000));
    writeFileSync(join(folder, "in/empty"), "");
    writeFileSync(join(folder, "in/ü ñ"), "utf-8");
    execFileSync("ln", [join(folder, "in/plain"), join(folder, "in/plain2")]);
    symlinkSync("../some/where", join(folder, "in/sym"));
    execFileSync("chmod", ["6751", join(folder, "in/plain")]);
    execFileSync("tar", [
      ...["-C", join(folder, "in"), `--format=${format}`, "--sort=name", "--mtime=@1234567890"],
      ...["--owner=:1000", "--group=:2000", "-cf", join(folder, "a.tar"), "."],
    ]);

    const entries = new Map(
      (await list(readFileSync(join(folder, "a.tar")))).map((entry) => [entry.path, entry]),
    );
    const attributes = { uid: 1000, gid: 2000, mtime: 1234567890 };
    expect(entries.get("")).toMatchObject({ type: "directory", ...attributes });
    expect(entries.get(long)).toMatchObject({ type: "file", data: "long", ...attributes });
    const plain = { type: "file", mode: 0o6751, size: 2000, data: "x".repeat(2000) };
    expect(entries.get("plain")).toMatchObject({ ...plain, ...attributes });
    expect(entries.get("plain2")).toMatchObject({ type: "hardlink", link: "./plain", size: 0 });
    expect(entries.get("empty")).toMatchObject({ type: "file", size: 0, data: "" });
    expect(entries.get("ü ñ")).toMatchObject({ type: "file", data: "utf-8" });
    expect(entries.get("sym")).toMatchObject({ type: "symlink", link: "../some/where" });
  });
});

test("numbers too large for octal are read in GNU's binary form", async () => {
  const wide = header("a", "0", 0, (block) => {
    block.fill(0, 108, 116);
    block[108] = 0x80;
    block.writeUInt32BE(3_000_000_000, 112);
  });
  expect((await list(Buffer.concat([wide, END])))[0]?.uid).toBe(3_000_000_000);
});

test("a time before 1970 is kept", async () => {
  const old = header("a", "0", 0, (block) => block.fill(0xff, 136, 148));
  expect((await list(Buffer.concat([old, END])))[0]?.mtime).toBe(-1);
});

test("a device has its numbers", async () => {
  const device = header("dev/tty", "3", 0, (block) => {
    block.write("0000005\0", 329);
    block.write("0000002\0", 337);
  });
  expect((await list(Buffer.concat([device, END])))[0]).toMatchObject({
    type: "char",
    device: { major: 5, minor: 2 },
  });
});

test("a body that is not read is skipped", async () => {
  const archive = Buffer.concat([header("a", "0", 600), body("a".repeat(600)), header("b"), END]);
  const names: string[] = [];
  for await (const entry of readTar(inPieces(archive))) names.push(entry.path.join("/"));
  expect(names).toEqual(["a", "b"]);
});

describe("a path", () => {
  test("that is absolute counts from the archive's root", () => {
    expect(splitPath("//etc/./passwd")).toEqual(["etc", "passwd"]);
  });
  test.each(["../x", "a/../../x", "/.."])("that climbs out is refused: %s", (path) => {
    expect(() => splitPath(path)).toThrow(/climbs out/);
  });
  test("with a name longer than 255 bytes is refused", () => {
    expect(() => splitPath("é".repeat(128))).toThrow(/too long/);
  });
});

describe("a bad archive is refused with BAD_ARCHIVE", () => {
  const pax = (text: string) => [header("x", "x", text.length), body(text)];
  const cases: Record<string, Buffer[]> = {
    "nothing at all": [],
    "no end marker": [header("a")],
    "a body cut short": [header("a", "0", 5000), body("short")],
    "a header cut short": [header("a").subarray(0, 300)],
    "a wrong checksum": [header("a").fill(0x41, 0, 1), END],
    "a path that climbs out": [header("../../etc/passwd"), END],
    "a pax path that climbs out": [...pax("23 path=../../../etc/x\n"), header("a"), END],
    "a name that is not UTF-8": [header("\xff\xfe"), END],
    "a GNU long name of a gigabyte": [header("L", "L", 2 ** 30), END],
    "a pax length that lies": [...pax("999 path=a\n"), header("a"), END],
    "a pax length of zero": [...pax("0 path=a\n"), header("a"), END],
    "a pax record without a value": [...pax("8 path1\n"), header("a"), END],
    "a negative pax size": [...pax("11 size=-1\n"), header("a"), END],
    "an octal field with other digits": [header("a", "0", 0, (b) => b.write("99", 124)), END],
    "a sparse file": [header("a", "S"), END],
    "a type that nobody knows": [header("a", "Z"), END],
  };
  test.each(Object.entries(cases))("%s", async (_, parts) => {
    await expect(list(Buffer.concat(parts))).rejects.toMatchObject({ code: "BAD_ARCHIVE" });
  });
});

test("mutated archives end in entries or BAD_ARCHIVE, never in anything else", async () => {
  const random = randomFrom(seed);
  const text = "12 path=abc\n";
  const whole = Buffer.concat([
    header("x", "x", text.length),
    body(text),
    header("a", "0", 700),
    body("a".repeat(700)),
    header("link", "2", 0, (block) => block.write("target", 157)),
    END,
  ]);
  for (let round = 0; round < 2000; round++) {
    const mutant = Buffer.from(whole.subarray(0, Math.ceil(random() * whole.length)));
    for (let count = random() * 4; count > 0; count--) {
      mutant[Math.floor(random() * mutant.length)] = random() * 256;
    }
    // Half of them get a right checksum again, or little would pass the first check.
    if (round % 2 && mutant.length >= 512) {
      mutant.fill(0x20, 148, 156);
      const sum = mutant.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      mutant.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    }
    const outcome = await list(mutant, 1 + Math.floor(random() * 600)).catch((error) => error.code);
    const isGood = Array.isArray(outcome) || outcome === "BAD_ARCHIVE";
    expect(isGood, `MOM_SEED=${seed} round ${round}: ${outcome}`).toBe(true);
  }
});
