import { constants, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { contentLength, decompress } from "../../workers/ninep/zstd.ts";
import { integersFrom, seed } from "../support/random.ts";

const MAX_BYTES = 4 << 20;

const compressed = (bytes: Uint8Array) =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });

/** Each form of the length in a header, at both of its ends, and sizes around Node.js' own pieces. */
const LENGTHS = [0, 1, 62, 63, 64, 255, 256, 257, 16_383, 16_384, 65_791, 65_792, 1_800_000];

describe("what zstd wrote", () => {
  test.each(LENGTHS)("%d bytes are announced and come back in a buffer of their own", (length) => {
    const bytes = Buffer.alloc(length, "mom");
    const frame = compressed(bytes);
    expect(contentLength(frame)).toBe(length);
    const back = decompress(frame, MAX_BYTES);
    expect(back.equals(bytes)).toBe(true);
    // Small ones share Node.js' pool.
    expect(back.buffer.byteLength).toBeLessThanOrEqual(Math.max(length + 1, 8_192));
  });

  test("without an announced length it comes back, too", () => {
    // 4 bytes of magic, no length, a window of 1 KiB; one last raw block of 5 bytes (RFC 8878, 3.1.1).
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0x29, 0, 0, ...Buffer.from("hello")]);
    expect(contentLength(frame)).toBeUndefined();
    expect(decompress(frame, MAX_BYTES).toString()).toBe("hello");
  });
});

describe("refused is", () => {
  const frame = compressed(Buffer.alloc(100_000, "mom"));

  test("what is longer than allowed", () => {
    expect(() => decompress(frame, 99_999)).toThrow(/larger than|Cannot create/);
  });

  test("a length that is not the content's", () => {
    for (const length of [0, 1, 99_999, 100_001, MAX_BYTES, 0xffff_ffff]) {
      const other = Uint8Array.from(frame);
      // With four bytes of length, behind the descriptor.
      expect((other[4] ?? 0) >> 6).toBe(2);
      new DataView(other.buffer).setUint32(5, length, true);
      expect(contentLength(other)).toBe(length);
      expect(() => decompress(other, MAX_BYTES), String(length)).toThrow();
    }
  });

  test("or comes back as it was, whatever bits are flipped and wherever it is cut", () => {
    const random = integersFrom(seed);
    let refused = 0;
    for (let round = 0; round < 2_000; round++) {
      const other = Uint8Array.from(
        frame.subarray(0, random(8) === 0 ? random(frame.length) : frame.length),
      );
      for (let flips = random(3) + 1; flips > 0 && other.length > 0; flips--) {
        const at = random(Math.min(other.length, 1 + random(64)));
        other[at] = (other[at] ?? 0) ^ (1 << random(8));
      }
      try {
        expect(decompress(other, MAX_BYTES).length, `MOM_SEED=${seed}`).toBeLessThanOrEqual(
          MAX_BYTES,
        );
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code, `MOM_SEED=${seed}: ${error}`).toMatch(
          /^(ZSTD_|Z_|ERR_)/,
        );
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });
});
