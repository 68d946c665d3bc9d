import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readBase, writeBase } from "../../workers/machine/base-file.ts";
import { DiskBlobStore } from "../../workers/ninep/blob-store.ts";

const state = Uint8Array.from({ length: 5_000 }, (_, index) => index * 7);
const known = { id: "0123456789abcdef", memoryBytes: 256 << 20 };
const noBlobs = { from: new DiskBlobStore(join(tmpdir(), "mom-no-blobs")), hashes: [] };
let parent: string;
let folder: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "mom-base-"));
  folder = join(parent, known.id);
});
afterAll(() => rm(parent, { recursive: true }));
beforeEach(() => writeBase(folder, state, known, noBlobs));

test("what was written is read, with what names it", async () => {
  const { record, state: found } = await readBase(folder);
  expect(record).toMatchObject({ ...known, stateBytes: state.length });
  expect(Buffer.from(found).equals(state)).toBe(true);
});

test("a base takes the place of the one before, and nothing unfinished is left", async () => {
  await writeBase(folder, state.subarray(10), known, noBlobs);
  expect((await readBase(folder)).state).toHaveLength(state.length - 10);
  expect(await readdir(parent)).toEqual([known.id]);
});

describe("BAD_IMAGE, naming the file and the way out, for", () => {
  const path = (name: string) => join(folder, name);
  const badImage = (file: string, says: RegExp) =>
    expect.objectContaining({
      code: "BAD_IMAGE",
      message: expect.stringMatching(new RegExp(`${file}.*${says.source}|${says.source}.*${file}`)),
    });

  test("a folder that is not there", async () => {
    await expect(readBase(join(parent, "none"))).rejects.toEqual(
      badImage("none/base.json", /mom image build/),
    );
  });

  test("a state that is missing", async () => {
    await rm(path("state.zst"));
    await expect(readBase(folder)).rejects.toEqual(badImage("state.zst", /cannot be read/));
  });

  test("a state that is cut short", async () => {
    await truncate(path("state.zst"), 4_999);
    await expect(readBase(folder)).rejects.toEqual(
      badImage("state.zst", /has 4999 bytes instead of 5000/),
    );
  });

  test("a state with one other bit", async () => {
    const bytes = await readFile(path("state.zst"));
    bytes[2_500] = (bytes[2_500] ?? 0) ^ 1;
    await writeFile(path("state.zst"), bytes);
    await expect(readBase(folder)).rejects.toEqual(badImage("state.zst", /mom image build/));
  });

  test.each([
    ["nothing in it", ""],
    ["half of it", '{"format":1,"id":"0123'],
    ["another format", JSON.stringify({ format: 2 })],
    ["wrong fields", JSON.stringify({ format: 1, ...known, stateBytes: -1, stateSha256: "x" })],
  ])("a record with %s", async (_name, text) => {
    await writeFile(path("base.json"), text);
    await expect(readBase(folder)).rejects.toEqual(badImage("base.json", /mom image build/));
  });
});
