import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FilePages, PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { seeded } from "./support/seeded.ts";

const PAGES = 300;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mom-pages-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("any run of pages is read as it is in the base, and what the base does not have is zero", async () => {
  const seed = Date.now() % 1_000_000;
  const random = seeded(seed);
  const numbers = Uint32Array.from(Array(PAGES).keys()).filter(() => random() < 0.7);
  const memory = Buffer.alloc(PAGES * PAGE_BYTES);
  for (const page of numbers) {
    memory.fill(1 + (page % 255), page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }
  const path = join(folder, "pages");
  const inFile = [...numbers].map((page) =>
    memory.subarray(page * PAGE_BYTES).subarray(0, PAGE_BYTES),
  );
  await writeFile(path, Buffer.concat(inFile));
  const pages = new FilePages(path, numbers, memory.length);
  for (let round = 0; round < 200; round++) {
    const first = Math.floor(random() * PAGES);
    const count = 1 + Math.floor(random() * (PAGES - first));
    const into = Buffer.alloc(count * PAGE_BYTES, 0xff);
    pages.read(first, into);
    const expected = memory.subarray(first * PAGE_BYTES, (first + count) * PAGE_BYTES);
    expect(into.equals(expected), `seed ${seed}, ${count} from ${first}`).toBe(true);
  }
});

test("a file that is cut short while it is in use is BAD_IMAGE, never half a page", async () => {
  const path = join(folder, "short");
  await writeFile(path, Buffer.alloc(2 * PAGE_BYTES, 1));
  const pages = new FilePages(path, Uint32Array.of(4, 5), PAGES * PAGE_BYTES);
  await truncate(path, PAGE_BYTES + 10);
  expect(() => pages.read(4, Buffer.alloc(2 * PAGE_BYTES))).toThrow(
    expect.objectContaining({ code: "BAD_IMAGE" }),
  );
});
