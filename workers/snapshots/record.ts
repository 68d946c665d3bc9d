import { createHash } from "node:crypto";
import { isHash } from "./objects.ts";
import { type Snapshot, SnapshotError } from "./store.ts";

/**
 * A snapshot as bytes:
 *
 *   offset  bytes
 *   0       8      magic "MOMSNAP\n": the line feed shows a file that went through a text transfer
 *   8       4      version, little-endian as all numbers here
 *   12      4      length of the header
 *   16      …      header: JSON of base, owner, parent, turn and blobs
 *   …       …      data
 *
 * Its id is the SHA-256 of all of it.
 */
const MAGIC = Buffer.from("MOMSNAP\n", "latin1");
const VERSION = 2;
const PREFIX_BYTES = 16;

export function encodeRecord(snapshot: Snapshot): { id: string; bytes: Uint8Array } {
  const { base, owner, parent, turnId, blobs, data } = snapshot;
  const header = Buffer.from(JSON.stringify({ base, owner, parent, turn: turnId, blobs }));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix, 0);
  prefix.writeUInt32LE(VERSION, 8);
  prefix.writeUInt32LE(header.length, 12);
  const bytes = Buffer.concat([prefix, header, data]);
  return { id: sha256(bytes), bytes };
}

/** The snapshot in a record. Throws `SnapshotError` for anything that is not just what was written. */
export function decodeRecord(id: string, bytes: Uint8Array): Snapshot {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (sha256(record) !== id) throw corrupt("it is not what was saved");
  if (record.length < PREFIX_BYTES || !record.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw corrupt("it is no snapshot");
  }
  const version = record.readUInt32LE(8);
  if (version !== VERSION) {
    throw new SnapshotError(
      "SNAPSHOT_VERSION",
      `The saved computer of this thread has format ${version}; this Mom reads format ${VERSION}.`,
    );
  }
  const headerEnd = PREFIX_BYTES + record.readUInt32LE(12);
  if (headerEnd > record.length) throw corrupt("its header is cut short");
  const { turn, ...header } = parseHeader(record.subarray(PREFIX_BYTES, headerEnd));
  return { ...header, turnId: turn, data: record.subarray(headerEnd) };
}

interface Header {
  base: string;
  owner: string;
  parent: string | null;
  turn: string;
  blobs: string[];
}

function parseHeader(bytes: Buffer): Header {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString());
  } catch (cause) {
    throw corrupt("its header cannot be read", cause);
  }
  if (!isHeader(header)) throw corrupt("its header lacks a field");
  return header;
}

function isHeader(header: unknown): header is Header {
  return (
    typeof header === "object" &&
    header !== null &&
    "base" in header &&
    typeof header.base === "string" &&
    "owner" in header &&
    typeof header.owner === "string" &&
    "parent" in header &&
    (header.parent === null || typeof header.parent === "string") &&
    "turn" in header &&
    typeof header.turn === "string" &&
    "blobs" in header &&
    Array.isArray(header.blobs) &&
    header.blobs.every((blob) => typeof blob === "string" && isHash(blob))
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function corrupt(detail: string, cause?: unknown): SnapshotError {
  return new SnapshotError(
    "SNAPSHOT_CORRUPT",
    `The saved computer of this thread is damaged: ${detail}.`,
    { cause },
  );
}
