import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FilePages, memoryChecksum, PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { arePlaces, placePages } from "../../workers/machine/base-places.ts";
import { randomFrom, seed } from "../support/random.ts";

const PAGES = 300;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-pages-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("any run of pages is read as it is in the base, and what the base does not have is zero", async () => {
  const random = randomFrom(seed);
  const numbers = Uint32Array.from(Array(PAGES).keys()).filter(() => random() < 0.7);
  const memory = Buffer.alloc(PAGES * PAGE_BYTES);
  for (const page of numbers) {
    memory.fill(1 + (page % 255), page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }
  const contents = Buffer.concat(
    [...numbers].map((page) => memory.subarray(page * PAGE_BYTES).subarray(0, PAGE_BYTES)),
  );
  // More files than are kept open, of one and of two pages, each standing in the image, and a tail that ends early.
  const imageFiles = await mkdtemp(join(folder, "image-"));
  for (let file = 0; file < 100; file++) {
    const page = Math.floor(random() * (PAGES - 1));
    const content = memory.subarray(page * PAGE_BYTES, (page + 1 + (file % 2)) * PAGE_BYTES);
    await writeFile(join(imageFiles, `${String(file).padStart(24, "0")}.bin`), content);
  }
  const tail = numbers.at(-1) ?? 0;
  contents.fill(0, contents.length - 100);
  memory.fill(0, (tail + 1) * PAGE_BYTES - 100, (tail + 1) * PAGE_BYTES);
  await writeFile(
    join(imageFiles, `${"f".repeat(24)}.bin`),
    memory.subarray(tail * PAGE_BYTES, (tail + 1) * PAGE_BYTES - 100),
  );
  const { places, own } = placePages(imageFiles, { numbers, contents });
  expect(arePlaces(places, numbers.length)).toBe(true);
  expect(places.files).toContain(`${"f".repeat(24)}.bin`);
  expect(own.length).toBeLessThan(contents.length);
  const path = join(folder, "pages");
  await writeFile(path, own);
  const pages = new FilePages({ path, imageFiles, numbers, places, memoryBytes: memory.length });
  const all = Buffer.alloc(memory.length, 0xff);
  pages.read(0, all);
  expect(memoryChecksum(all, numbers)).toBe(memoryChecksum(memory, numbers));
  all[tail * PAGE_BYTES] = (all[tail * PAGE_BYTES] ?? 0) ^ 1;
  expect(memoryChecksum(all, numbers)).not.toBe(memoryChecksum(memory, numbers));
  const zeros = Array.from({ length: PAGES }, (_, page) => pages.isZero(page));
  expect(zeros, `MOM_SEED=${seed}`).toEqual(zeros.map((_, page) => !numbers.includes(page)));
  for (let round = 0; round < 200; round++) {
    const first = Math.floor(random() * PAGES);
    const count = 1 + Math.floor(random() * (PAGES - first));
    const into = Buffer.alloc(count * PAGE_BYTES, 0xff);
    pages.read(first, into);
    const expected = memory.subarray(first * PAGE_BYTES, (first + count) * PAGE_BYTES);
    expect(into.equals(expected), `MOM_SEED=${seed}, ${count} from ${first}`).toBe(true);
  }
});

test("a file that is cut short while it is in use is BAD_IMAGE, never half a page", async () => {
  const path = join(folder, "short");
  await writeFile(path, Buffer.alloc(2 * PAGE_BYTES, 1));
  const numbers = Uint32Array.of(4, 5);
  const places = { files: [], places: Uint32Array.of(0, 0, 0, 1) };
  const memoryBytes = PAGES * PAGE_BYTES;
  const pages = new FilePages({ path, imageFiles: folder, numbers, places, memoryBytes });
  await truncate(path, PAGE_BYTES + 10);
  expect(() => pages.read(4, Buffer.alloc(2 * PAGE_BYTES))).toThrow(
    expect.objectContaining({ code: "BAD_IMAGE" }),
  );
});

test("places lead into the image's files only", () => {
  const places = Uint32Array.of(1, 0);
  expect(arePlaces({ files: ["0123456789abcdef01234567.bin"], places }, 1)).toBe(true);
  for (const name of ["../../etc/passwd", "0123456789abcdef01234567.bin/..", "x.bin", ""]) {
    expect(arePlaces({ files: [name], places }, 1), name).toBe(false);
  }
  expect(arePlaces({ files: [], places }, 1)).toBe(false);
  expect(arePlaces({ files: [], places: Uint32Array.of(0, 0) }, 2)).toBe(false);
});
