import { zstdDecompressSync } from "node:zlib";

/** RFC 8878, 3.1.1: the frame's header, as far as it says how long its content is. */
const MAGIC = 0xfd2f_b528;
const SINGLE_SEGMENT = 0x20;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
/** Of the length, by the header's first two bits; the first form is there only with `SINGLE_SEGMENT`. */
const LENGTH_BYTES = [1, 2, 4, 8];
/** The two-byte form begins where the one-byte form ends. */
const TWO_BYTE_OFFSET = 256;

/**
 * Node.js' `zstdDecompressSync` into one buffer of the right size. Without a hint Node.js makes pieces of 16 KiB and joins
 * them, which costs more than zstd itself, and garbage in its wake.
 *
 * @throws Error of zlib, for what is damaged and for what is longer than `maxBytes`.
 */
export function decompress(compressed: Uint8Array, maxBytes: number): Buffer {
  const length = contentLength(compressed);
  // With a byte to spare zlib sees that it is done. What a damaged header claims is taken from nobody until it is filled.
  const hint =
    length === undefined || length > maxBytes ? {} : { chunkSize: Math.max(length + 1, 64) };
  return zstdDecompressSync(compressed, { maxOutputLength: maxBytes, ...hint });
}

/** Bytes in the frame, or `undefined` where its header does not say. */
export function contentLength(frame: Uint8Array): number | undefined {
  const header = Buffer.from(frame.buffer, frame.byteOffset, Math.min(frame.length, 18));
  if (header.length < 5 || header.readUInt32LE(0) !== MAGIC) return undefined;
  const descriptor = header[4] ?? 0;
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const form = descriptor >> 6;
  if (form === 0 && !isSingle) return undefined;
  const bytes = LENGTH_BYTES[form] ?? 0;
  const at = 5 + (isSingle ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  if (at + bytes > header.length) return undefined;
  if (bytes === 8) return Number(header.readBigUInt64LE(at));
  return header.readUIntLE(at, bytes) + (form === 1 ? TWO_BYTE_OFFSET : 0);
}
