import { expect, test } from "vitest";
import { decodeRecord, encodeRecord } from "../../workers/snapshots/record.ts";
import { SnapshotError } from "../../workers/snapshots/store.ts";

const snapshot = {
  base: "debian-12-abc",
  turnId: "T1-C1-1.2",
  data: Buffer.from("the sandbox's pages"),
};

function record(): Buffer {
  return Buffer.concat(encodeRecord("T1-C1-1.1", snapshot));
}

function codeOf(bytes: Uint8Array, threadKey = "T1-C1-1.1"): string {
  try {
    decodeRecord(threadKey, bytes);
  } catch (error) {
    if (error instanceof SnapshotError) return error.code;
    throw error;
  }
  return "accepted";
}

test("a snapshot comes back as it went in", () => {
  const back = decodeRecord("T1-C1-1.1", record());
  expect({ ...back, data: Buffer.from(back.data) }).toEqual(snapshot);
});

test("an empty snapshot comes back", () => {
  const empty = { base: "b", turnId: "t", data: new Uint8Array() };
  const back = decodeRecord("k", Buffer.concat(encodeRecord("k", empty)));
  expect(back.data.length).toBe(0);
});

test("a record cut anywhere is told to be truncated", () => {
  const whole = record();
  for (let length = 0; length < whole.length; length++) {
    expect(codeOf(whole.subarray(0, length)), `cut to ${length} bytes`).toBe("SNAPSHOT_TRUNCATED");
  }
});

test("no flipped bit goes unnoticed", () => {
  const whole = record();
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(whole.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(codeOf(flipped), `bit ${bit}`).toMatch(/^SNAPSHOT_/);
  }
});

test("a flipped bit in the data is told to be damage", () => {
  const whole = record();
  whole.writeUInt8(whole.readUInt8(whole.length - 1) ^ 1, whole.length - 1);
  expect(codeOf(whole)).toBe("SNAPSHOT_CORRUPT");
});

test("bytes after the end are damage", () => {
  expect(codeOf(Buffer.concat([record(), Buffer.of(0)]))).toBe("SNAPSHOT_CORRUPT");
});

test("another file, and another thread's snapshot, are foreign", () => {
  expect(codeOf(Buffer.from("#!/bin/sh\necho hi\n"))).toBe("SNAPSHOT_FOREIGN");
  expect(codeOf(record(), "T1-C1-9.9")).toBe("SNAPSHOT_FOREIGN");
});

test("a record of a later format is refused by its number", () => {
  const later = record();
  later.writeUInt32LE(2, 8);
  expect(codeOf(later)).toBe("SNAPSHOT_VERSION");
});
