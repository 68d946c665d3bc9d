import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { contentId, readBase, writeBase } from "../../workers/machine/base-file.ts";
import { DiskBlobStore } from "../../workers/ninep/blob-store.ts";

const state = Uint8Array.from({ length: 5_000 }, (_, index) => index * 7);
const pages = Uint8Array.from({ length: 8_192 }, (_, index) => index * 3);
const known = {
  id: "0123456789abcdef",
  memoryBytes: 256 << 20,
  memoryCrc32: 5,
};
const noBlobs = { from: new DiskBlobStore(join(tmpdir(), "mom-no-blobs")), hashes: [] };
let parent: string;
let folder: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "mom-base-"));
  folder = join(parent, known.id);
});
afterAll(() => rm(parent, { recursive: true }));
beforeEach(() => writeBase(folder, { state, pages }, known, noBlobs));

test("what was written is read, with what names it", async () => {
  const { record, state: found, pagesPath } = await readBase(folder);
  expect(record).toMatchObject({ ...known, stateBytes: 5_000, pagesBytes: 8_192 });
  expect(Buffer.from(found).equals(state)).toBe(true);
  expect((await readFile(pagesPath)).equals(pages)).toBe(true);
});

test("a base takes the place of the one before, and nothing unfinished is left", async () => {
  await writeBase(folder, { state: state.subarray(10), pages }, known, noBlobs);
  expect((await readBase(folder)).state).toHaveLength(state.length - 10);
  expect(await readdir(parent)).toEqual([known.id]);
});

test("a base has another identity with other pages or another state", async () => {
  const identity = async () => contentId((await readBase(folder)).record);
  const first = await identity();
  await writeBase(folder, { state: state.subarray(1), pages }, known, noBlobs);
  const second = await identity();
  await writeBase(folder, { state, pages: pages.subarray(1) }, known, noBlobs);
  expect(new Set([first, second, await identity()]).size).toBe(3);
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

  test("pages that are missing", async () => {
    await rm(path("pages"));
    await expect(readBase(folder)).rejects.toEqual(badImage("pages", /cannot be read/));
  });

  test("pages that are cut short", async () => {
    await truncate(path("pages"), 4_096);
    await expect(readBase(folder)).rejects.toEqual(
      badImage("pages", /has 4096 bytes instead of 8192/),
    );
  });

  test("pages with one other bit", async () => {
    const bytes = await readFile(path("pages"));
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    await writeFile(path("pages"), bytes);
    await expect(readBase(folder)).rejects.toEqual(badImage("pages", /mom image build/));
  });

  test.each([
    ["nothing in it", ""],
    ["half of it", '{"format":1,"id":"0123'],
    ["another format", JSON.stringify({ format: 1 })],
    ["wrong fields", JSON.stringify({ format: 2, ...known, stateBytes: -1, stateSha256: "x" })],
  ])("a record with %s", async (_name, text) => {
    await writeFile(path("base.json"), text);
    await expect(readBase(folder)).rejects.toEqual(badImage("base.json", /mom image build/));
  });
});
