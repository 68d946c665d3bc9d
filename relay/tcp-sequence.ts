/** Arithmetic of sequence numbers, modulo 2^32 (RFC 9293, 3.4). */

export function addSequence(sequence: number, bytes: number): number {
  return (sequence + bytes) >>> 0;
}

/** How far `a` is ahead of `b`; negative when it is behind. */
export function sequenceDistance(a: number, b: number): number {
  return (a - b) | 0;
}
