/**
 * The Internet checksum (RFC 1071). Ones' complement sums do not depend on byte order (section 2 (B)), so words are
 * added as this computer reads them and swapped once at the end.
 */

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Sum of 16-bit words of a range, not folded or complemented; a last odd byte counts as if a zero followed. */
export function sumOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const at = bytes.byteOffset + start;
  const words = length >> 1;
  let sum: number;
  if ((at & 1) === 0) sum = sumWords(new Uint16Array(bytes.buffer, at, words), words);
  else {
    // At an odd place in memory every byte sits in the other half of its word; swapping puts it right.
    const inner = words > 0 ? words - 1 : 0;
    sum = swap(fold(sumWords(new Uint16Array(bytes.buffer, at + 1, inner), inner)));
    if (words > 0) {
      const first = bytes[start] ?? 0;
      const last = bytes[start + words * 2 - 1] ?? 0;
      sum += LITTLE_ENDIAN ? first | (last << 8) : (first << 8) | last;
    }
  }
  if (length & 1) {
    const last = bytes[end - 1] ?? 0;
    sum += LITTLE_ENDIAN ? last : last << 8;
  }
  return LITTLE_ENDIAN ? swap(fold(sum)) : fold(sum);
}

/** Sum of the pseudo-header that TCP and UDP are checked with (RFC 9293, 3.1; RFC 768). */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  length: number,
): number {
  return (
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff) +
    protocol +
    length
  );
}

/** The 16 bits that go into a header. */
export function checksumOf(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/** Whether a sum over data and its checksum is sound. */
export function isSound(sum: number): boolean {
  return fold(sum) === 0xffff;
}

function sumWords(words: Uint16Array, length: number): number {
  let total = 0;
  // 32-bit integers stay fast: 16,384 words of 16 bits cannot pass 2^30.
  for (let at = 0; at < length; ) {
    const stop = Math.min(at + 16_384, length);
    let sum = 0;
    for (; at + 4 <= stop; at += 4)
      sum +=
        (words[at] as number) +
        (words[at + 1] as number) +
        (words[at + 2] as number) +
        (words[at + 3] as number);
    for (; at < stop; at++) sum += words[at] as number;
    total += sum;
  }
  return total;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
