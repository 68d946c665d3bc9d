/** What a page differs in from another, word by word. */

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

/** Replace `page` by what differs from `other` (exclusive or), or that by the page again. */
export function toggle(page: Uint8Array, other: Uint8Array): void {
  const words = wordsOf(page);
  const others = wordsOf(other);
  for (let index = 0; index < words.length; index++) {
    words[index] = (words[index] ?? 0) ^ (others[index] ?? 0);
  }
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}
