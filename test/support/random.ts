/** Seed of a randomised test: `MOM_SEED` to see a failure again. */
export const seed = Number(process.env.MOM_SEED ?? Date.now() % 2 ** 31);

/** mulberry32: numbers from 0 up to 1, the same for the same seed. */
export function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole numbers from 0 up to `below`, the same for the same seed. */
export function integersFrom(start: number): (below: number) => number {
  const random = randomFrom(start);
  return (below) => Math.floor(random() * below);
}
