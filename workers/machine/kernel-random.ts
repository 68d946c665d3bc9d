import { z } from "zod";
import type { Guest } from "./guest.ts";

/**
 * The random numbers of a guest's kernel. Two sandboxes that come from one state would draw the same numbers, so
 * each gets a key of its own in the step that puts it into the machine: before the guest runs its first instruction,
 * and so before any program of it, the background's too, can draw one.
 *
 * Linux (drivers/char/random.c, since 5.18) draws all from `base_crng`: a key of 32 bytes, perhaps the time of its
 * birth, and a generation. What was derived from a key is thrown away where its generation is not this one.
 */
export const RandomSource = z.object({
  /** Physical address of the key. */
  address: z.number().int().nonnegative(),
  /** Where the generation stands behind the key, in 32-bit words. */
  generationWord: z.union([z.literal(0), z.literal(1)]),
});
export type RandomSource = z.infer<typeof RandomSource>;

/** Guest RAM, and how to write it so that the emulator knows. */
export interface GuestMemory {
  readonly memory: Uint8Array;
  writeMemory(address: number, bytes: Uint8Array): void;
}

export const KEY_BYTES = 32;
const WORD_BYTES = 4;
const KEY_WORDS = KEY_BYTES / WORD_BYTES;
/** Where a kernel has its own data: it lies in low memory, at the 16th megabyte where it is not told otherwise. */
const KERNEL_BYTES = 64 << 20;
/** linux/random.h RNDRESEEDCRNG. Python is in every image: a base is not built without. */
const RESEED = `python3 -c 'import fcntl; fcntl.ioctl(open("/dev/urandom", "wb"), 0x5207)'`;
const DRAW = "head -c 16 /dev/urandom";
const DEADLINE_MS = 60_000;
/** Words of a key go anywhere; a time goes on by little. In jiffies: an hour. */
const LITTLE_TIME = 3_600 * 1_000;
/** The kernel reseeds by itself once a minute, too: what is seen then is no proof. */
const TRIES = 3;

/**
 * Find the key by what it does, since kernels do not say where their data is: when it is told to reseed, twice, it
 * changes and its generation goes on by one; when a number is drawn it stays, as the keys that are derived from it do
 * not. The guest runs.
 *
 * @returns `undefined` for a kernel of another kind: see `reseedByGuest`.
 */
export async function findRandomSource(
  guest: Guest,
  emulator: GuestMemory,
): Promise<RandomSource | undefined> {
  const words = () => wordsOf(emulator.memory.slice(0, KERNEL_BYTES));
  const draw = () => guest.runApart(DRAW, undefined, DEADLINE_MS);
  const reseed = async () => {
    await reseedByGuest(guest);
    // The first number after it is made of the key itself, which is changed by that.
    await draw();
  };
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const first = words();
    await reseed();
    const second = words();
    await draw();
    const drawn = words();
    await reseed();
    const again = reseeded(drawn, words());
    const found = reseeded(first, second).filter(
      ({ address, generationWord }) =>
        !isChanged(second, drawn, address / WORD_BYTES) &&
        again.some((one) => one.address === address && one.generationWord === generationWord),
    );
    if (found.length === 1) return found[0];
  }
  return undefined;
}

/** What looks like a generator that was reseeded once. */
export function reseeded(before: Uint32Array, after: Uint32Array): RandomSource[] {
  const found: RandomSource[] = [];
  for (let at = KEY_WORDS + 1; at < before.length; at++) {
    if (difference(before, after, at) !== 1) continue;
    const passed = difference(before, after, at - 1);
    const generationWord = passed > 0 && passed < LITTLE_TIME ? 1 : 0;
    const key = at - generationWord - KEY_WORDS;
    if (isChanged(before, after, key)) found.push({ address: key * WORD_BYTES, generationWord });
  }
  return found;
}

/** Whether every word of the key is another. */
function isChanged(before: Uint32Array, after: Uint32Array, key: number): boolean {
  for (let at = key; at < key + KEY_WORDS; at++) if (before[at] === after[at]) return false;
  return true;
}

function difference(before: Uint32Array, after: Uint32Array, at: number): number {
  return ((after[at] ?? 0) - (before[at] ?? 0)) >>> 0;
}

/** Give the kernel a new key. The machine must be stopped. */
export function refreshKey(
  emulator: GuestMemory,
  { address, generationWord }: RandomSource,
  key: Uint8Array,
): void {
  emulator.writeMemory(address, key);
  const generation = Buffer.alloc(WORD_BYTES);
  // All ones stand for “never had a key” (crng_reseed leaves them out, too).
  const at = address + KEY_BYTES + generationWord * WORD_BYTES;
  const [last = 0] = wordsOf(emulator.memory.slice(at, at + WORD_BYTES));
  generation.writeUInt32LE((last + 1) % 0xffff_ffff);
  emulator.writeMemory(at, generation);
}

/**
 * Have the guest's kernel take new randomness, from the emulator's RDRAND, by its own interface. It costs the start
 * of an interpreter, and the guest has run by then. Nothing is said where the guest cannot: it is its own loss.
 */
export async function reseedByGuest(guest: Guest): Promise<void> {
  await guest.runApart(RESEED, undefined, DEADLINE_MS);
}

/** Of a copy, which begins where its buffer does. */
function wordsOf(copy: Uint8Array): Uint32Array {
  return new Uint32Array(copy.buffer, 0, copy.length / WORD_BYTES);
}
