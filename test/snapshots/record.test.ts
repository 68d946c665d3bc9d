import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { decodeRecord, encodeRecord } from "../../workers/snapshots/record.ts";
import { type Snapshot, SnapshotError } from "../../workers/snapshots/store.ts";

const snapshot: Snapshot = {
  base: "debian-12-abc",
  owner: "o",
  turnId: "T1-C1-1.2",
  parent: "a".repeat(64),
  blobs: ["b".repeat(64)],
  data: Buffer.from("the sandbox's devices"),
};

/** What reading these bytes says, when they are stored under their own hash, as somebody with the disk could. */
function codeOf(bytes: Uint8Array, id = createHash("sha256").update(bytes).digest("hex")): string {
  try {
    decodeRecord(id, bytes);
  } catch (error) {
    if (error instanceof SnapshotError) return error.code;
    throw error;
  }
  return "accepted";
}

test("a snapshot comes back as it went in, also one of the base and without data", () => {
  for (const each of [snapshot, { ...snapshot, parent: null, blobs: [], data: new Uint8Array() }]) {
    const { id, bytes } = encodeRecord(each);
    const back = decodeRecord(id, bytes);
    expect({ ...back, data: Buffer.from(back.data) }).toEqual({
      ...each,
      data: Buffer.from(each.data),
    });
  }
});

test("what differs has another id", () => {
  const changes: Partial<Snapshot>[] = [
    { base: "x" },
    { turnId: "x" },
    { owner: "x" },
    { parent: null },
    { blobs: [] },
    { data: Buffer.from("x") },
  ];
  const ids = [{}, ...changes].map((change) => encodeRecord({ ...snapshot, ...change }).id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a record with any bit flipped, or cut anywhere, is refused", () => {
  const { id, bytes } = encodeRecord(snapshot);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    expect(codeOf(flipped, id)).toBe("SNAPSHOT_CORRUPT");
    expect(codeOf(bytes.subarray(0, at), id)).toBe("SNAPSHOT_CORRUPT");
  }
});

test("bytes that are no snapshot are refused also under their own hash", () => {
  const { bytes } = encodeRecord(snapshot);
  const text = Buffer.from(bytes).toString("latin1");
  const wrong = [
    "",
    "hello",
    text.replace("MOMSNAP", "MOMSNIP"),
    text.replace('"parent"', '"qarent"'),
    text.replace("b".repeat(64), `../../../${"b".repeat(55)}`),
    text.replace('{"base"', '("base"'),
    `${text.slice(0, 12)}\xff\xff\xff\x7f${text.slice(16)}`,
  ];
  for (const each of wrong) expect(codeOf(Buffer.from(each, "latin1"))).toBe("SNAPSHOT_CORRUPT");
});

test("a record of a later format is told apart", () => {
  const later = Buffer.from(encodeRecord(snapshot).bytes);
  later.writeUInt32LE(9, 8);
  expect(codeOf(later)).toBe("SNAPSHOT_VERSION");
});
