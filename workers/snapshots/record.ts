import { createHash } from "node:crypto";
import { type Snapshot, SnapshotError } from "./store.ts";

/**
 * A snapshot as bytes:
 *
 *   offset  bytes
 *   0       8      magic "MOMSNAP\n": the line feed shows a file that went through a text transfer
 *   8       4      version, little-endian as all numbers here
 *   12      4      length of the header
 *   16      8      length of the data
 *   24      32     SHA-256 of all but these 32 bytes
 *   56      …      header: JSON of thread, base and turn
 *   …       …      data
 *
 * The lengths come first, so that a file that was cut short is told apart from one that was altered.
 */
const MAGIC = Buffer.from("MOMSNAP\n", "latin1");
const VERSION = 1;
const DIGEST_OFFSET = 24;
const PREFIX_BYTES = 56;

/** The record as pieces to be written one after the other; the data is not copied. */
export function encodeRecord(threadKey: string, snapshot: Snapshot): [Uint8Array, Uint8Array] {
  const header = Buffer.from(
    JSON.stringify({ thread: threadKey, base: snapshot.base, turn: snapshot.turnId }),
  );
  const front = Buffer.alloc(PREFIX_BYTES + header.length);
  MAGIC.copy(front, 0);
  front.writeUInt32LE(VERSION, 8);
  front.writeUInt32LE(header.length, 12);
  front.writeBigUInt64LE(BigInt(snapshot.data.length), 16);
  header.copy(front, PREFIX_BYTES);
  digest(front, snapshot.data).copy(front, DIGEST_OFFSET);
  return [front, snapshot.data];
}

/** The snapshot in a record. Throws `SnapshotError` for anything that is not just what was written. */
export function decodeRecord(threadKey: string, bytes: Uint8Array): Snapshot {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = record.subarray(0, MAGIC.length);
  if (!MAGIC.subarray(0, magic.length).equals(magic)) throw foreign("it is not a snapshot file");
  if (record.length < PREFIX_BYTES)
    throw truncated(`${record.length} bytes are less than a header`);

  const version = record.readUInt32LE(8);
  if (version !== VERSION) {
    throw new SnapshotError(
      "SNAPSHOT_VERSION",
      `The saved computer of this thread has format ${version}; this Mom reads format ${VERSION}.`,
    );
  }
  const headerEnd = PREFIX_BYTES + record.readUInt32LE(12);
  const expectedBytes = BigInt(headerEnd) + record.readBigUInt64LE(16);
  if (BigInt(record.length) < expectedBytes) {
    throw truncated(`it has ${record.length} of ${expectedBytes} bytes`);
  }
  if (BigInt(record.length) > expectedBytes) {
    throw corrupt(`it has ${record.length} bytes instead of ${expectedBytes}`);
  }
  const data = record.subarray(headerEnd);
  const front = record.subarray(0, headerEnd);
  if (!digest(front, data).equals(record.subarray(DIGEST_OFFSET, PREFIX_BYTES))) {
    throw corrupt("its checksum does not match");
  }
  const header = parseHeader(front.subarray(PREFIX_BYTES));
  if (header.thread !== threadKey) throw foreign("it belongs to another thread");
  return { base: header.base, turnId: header.turn, data };
}

function digest(front: Buffer, data: Uint8Array): Buffer {
  return createHash("sha256")
    .update(front.subarray(0, DIGEST_OFFSET))
    .update(front.subarray(PREFIX_BYTES))
    .update(data)
    .digest();
}

function parseHeader(bytes: Buffer): { thread: string; base: string; turn: string } {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString());
  } catch (cause) {
    throw corrupt("its header cannot be read", cause);
  }
  if (
    typeof header !== "object" ||
    header === null ||
    !("thread" in header && typeof header.thread === "string") ||
    !("base" in header && typeof header.base === "string") ||
    !("turn" in header && typeof header.turn === "string")
  ) {
    throw corrupt("its header lacks a field");
  }
  return { thread: header.thread, base: header.base, turn: header.turn };
}

function truncated(detail: string): SnapshotError {
  return new SnapshotError(
    "SNAPSHOT_TRUNCATED",
    `The saved computer of this thread was cut short: ${detail}.`,
  );
}

function corrupt(detail: string, cause?: unknown): SnapshotError {
  return new SnapshotError(
    "SNAPSHOT_CORRUPT",
    `The saved computer of this thread is damaged: ${detail}.`,
    { cause },
  );
}

function foreign(detail: string): SnapshotError {
  return new SnapshotError(
    "SNAPSHOT_FOREIGN",
    `What is stored for this thread cannot be used: ${detail}.`,
  );
}
