import { zstdDecompressSync } from "node:zlib";

/**
 * A zstd file as a failing disk gives it back: one bit in the middle is another, and so is what it decompresses to. That is
 * not so for every bit, since zstd has several ways to write the same bytes.
 */
export function withOneBitFlipped(compressed: Uint8Array): Uint8Array {
  const whole = zstdDecompressSync(compressed);
  for (let at = compressed.length >> 1; at < compressed.length; at++) {
    const flipped = Uint8Array.from(compressed);
    flipped[at] = (flipped[at] ?? 0) ^ 4;
    if (!isSame(flipped, whole)) return flipped;
  }
  throw new Error("every bit can be another one");
}

function isSame(compressed: Uint8Array, whole: Buffer): boolean {
  try {
    return zstdDecompressSync(compressed).equals(whole);
  } catch {
    return false;
  }
}
