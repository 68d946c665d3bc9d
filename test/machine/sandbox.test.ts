import { describe, expect, test } from "vitest";
import { noBasePages, PAGE_BYTES } from "../../workers/machine/base-pages.ts";
import { PagePacks } from "../../workers/machine/page-packs.ts";
import {
  packBase,
  packSnapshot,
  type Sandbox,
  unpackBase,
  unpackSnapshot,
} from "../../workers/machine/sandbox.ts";

const MEMORY_BYTES = 16 * PAGE_BYTES;

function sandbox(changes: Partial<Sandbox> = {}): Sandbox {
  return {
    base: "base-1",
    memoryBytes: MEMORY_BYTES,
    pages: pages(1, 5, 15),
    devices: Uint8Array.from([1, 2, 3]),
    rootServer: { fids: [] } as never,
    turnServer: { fids: [] } as never,
    overlay: undefined,
    certificates: "",
    flows: [],
    guest: { shellPid: 12, upcoming: 3, nextApart: 5, isNew: false },
    outMarks: { "/root/out/a": "1 2 3" },
    ...changes,
  };
}

function pages(...numbers: number[]) {
  const contents = new Uint8Array(numbers.length * PAGE_BYTES);
  for (const [index, number] of numbers.entries()) {
    contents.fill(number, index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
  }
  return { numbers: Uint32Array.from(numbers), contents };
}

function packs(): PagePacks {
  const blobs = new Map<string, Uint8Array>();
  const store = {
    get: (hash: string) => blobs.get(hash) ?? new Uint8Array(0),
    put: (hash: string, bytes: Uint8Array) => void blobs.set(hash, new Uint8Array(bytes)),
  };
  return new PagePacks(store, noBasePages);
}

function unpacked(changes: Partial<Sandbox>, base = "base-1", memoryBytes = MEMORY_BYTES) {
  return () => {
    const store = packs();
    const { data } = packSnapshot(sandbox(changes), store, 1);
    return unpackSnapshot(data, store, base, memoryBytes);
  };
}

test("a sandbox comes back as it was", () => {
  const { pages: found, devices, ...head } = unpacked({})();
  const { pages: packed, devices: packedDevices, ...packedHead } = sandbox();
  expect(head).toEqual(JSON.parse(JSON.stringify(packedHead)));
  expect([...found.numbers]).toEqual([...packed.numbers]);
  expect(Buffer.from(found.contents).equals(packed.contents)).toBe(true);
  expect([...devices]).toEqual([...packedDevices]);
});

describe("refused is a sandbox", () => {
  test("over another base, with both names", () => {
    expect(unpacked({}, "base-2")).toThrow(/belongs to base base-1, this machine runs base base-2/);
  });

  test("of a machine with other memory", () => {
    const memory = unpacked({ memoryBytes: 512 << 20 }, "base-1", 256 << 20);
    expect(memory).toThrow(/512 MB, this one has 256 MB/);
  });

  test.each([
    ["out of order", pages(5, 1)],
    ["twice the same", pages(5, 5)],
    ["behind the end of memory", pages(16)],
  ])("whose pages are %s", (_name, wrong) => {
    const places = { files: [], places: new Uint32Array(wrong.numbers.length * 2) };
    const packed = packBase(sandbox({ base: "", pages: wrong }), places, 1);
    expect(() => unpackBase(packed, MEMORY_BYTES)).toThrow(
      expect.objectContaining({ code: "BAD_STATE", message: expect.stringMatching(/pages/) }),
    );
  });
});
