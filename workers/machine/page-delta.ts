import { PAGE_BYTES } from "./base-pages.ts";

/**
 * A page as what it differs in from another, in words of 32 bits: two that say which of its 64 pieces differ, the first piece
 * in the lowest bit of the first, then the exclusive or of each of these. Over zeros those are the page's own pieces.
 * Most pages differ in a few words from the base's, and nobody hashes or unpacks the rest.
 */

const PIECE_WORDS = 16;
const MASK_WORDS = 2;
const PIECES_A_MASK = PAGE_BYTES / 4 / PIECE_WORDS / MASK_WORDS;
/** Where all of its pieces differ. */
export const MAX_DELTA_BYTES = PAGE_BYTES + 4 * MASK_WORDS;

/** True when `page` has more words in common with `other` than it has zeros: the difference takes less room. */
export function isNearer(page: Uint8Array, other: Uint8Array): boolean {
  const words = wordsOf(page);
  const others = wordsOf(other);
  let gain = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === others[index]) gain++;
    if (word === 0) gain--;
  }
  return gain > 0;
}

/** Write what `page` differs in from `other` to where `at`, in words, points. @returns where it ends. */
export function writeDelta(
  page: Uint8Array,
  other: Uint8Array,
  deltas: Int32Array,
  at: number,
): number {
  const words = wordsOf(page);
  const others = wordsOf(other);
  let end = at + MASK_WORDS;
  for (let half = 0; half < MASK_WORDS; half++) {
    let mask = 0;
    for (let bit = 0; bit < PIECES_A_MASK; bit++) {
      const first = (half * PIECES_A_MASK + bit) * PIECE_WORDS;
      let all = 0;
      for (let index = 0; index < PIECE_WORDS; index++) {
        const word = (words[first + index] ?? 0) ^ (others[first + index] ?? 0);
        deltas[end + index] = word;
        all |= word;
      }
      if (all === 0) continue;
      mask |= 1 << bit;
      end += PIECE_WORDS;
    }
    deltas[at + half] = mask;
  }
  return end;
}

/**
 * Make of the page that a delta was taken from the one that it was taken of.
 *
 * @returns false, and the page may be anything, where the delta is not whole.
 */
export function applyDelta(page: Uint8Array, deltas: Int32Array, at: number): boolean {
  const words = wordsOf(page);
  let next = at + MASK_WORDS;
  for (let half = 0; half < MASK_WORDS; half++) {
    let mask = deltas[at + half];
    if (mask === undefined) return false;
    while (mask !== 0) {
      if (next + PIECE_WORDS > deltas.length) return false;
      const bit = 31 - Math.clz32(mask & -mask);
      mask &= mask - 1;
      const first = (half * PIECES_A_MASK + bit) * PIECE_WORDS;
      for (let index = 0; index < PIECE_WORDS; index++) {
        words[first + index] = (words[first + index] ?? 0) ^ (deltas[next + index] ?? 0);
      }
      next += PIECE_WORDS;
    }
  }
  return true;
}

/** Bytes as words: a view, or a copy where they begin between two words. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(buffer, byteOffset, length >> 2);
}
