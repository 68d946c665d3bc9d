import { NinePError } from "../ninep/errno.ts";
import { PendingRead } from "../ninep/filesystem.ts";

/**
 * Size that the file claims: bash reads as much of a script. Up to 1,024 bytes Linux's 9P client copies what it reads;
 * for more it would first pin all pages that it may be read into.
 */
export const WORDS_BYTES = 1_024;
/** What fits, with room to see by the read's length that it was all. */
export const MAX_WORDS_BYTES = WORDS_BYTES - 1;

interface Letter {
  words: Uint8Array;
  onTaken(): void;
}

/**
 * What the resident shell is to do next: the file `bash` of the turn files, whose reader waits. The shell is the only
 * one that has any business with it. Should a turn or a program in the background read it, it gets nothing, or an error,
 * where the shell waits already.
 */
export class ShellMailbox {
  /** It has a turn and has not yet said that it is over. */
  isBusy = false;
  #letters: Letter[] = [];
  #reader: PendingRead | undefined;

  /** It has done all that it was given, and waits. */
  get isWaiting(): boolean {
    return this.#reader !== undefined;
  }

  /** @param onTaken called inside the guest's read, or at once where it waits. */
  give(words: Uint8Array, onTaken: () => void = () => {}): void {
    this.#letters.push({ words, onTaken });
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    reader.complete(this.#take(reader.maxBytes));
  }

  /** Another sandbox is in the machine. */
  clear(): void {
    this.#letters = [];
    this.isBusy = false;
  }

  read(offset: number, into: Uint8Array): number | PendingRead {
    // Linux asks again until there is no more.
    if (offset > 0 || this.isBusy) return 0;
    if (this.#letters.length > 0) {
      const words = this.#take(into.length);
      into.set(words);
      return words.length;
    }
    if (this.#reader !== undefined) throw new NinePError("EBUSY", "the shell waits already");
    const reader = new PendingRead(into.length, () => {
      if (this.#reader === reader) this.#reader = undefined;
    });
    this.#reader = reader;
    return reader;
  }

  #take(maxBytes: number): Uint8Array {
    const letter = this.#letters.shift();
    if (letter === undefined) return new Uint8Array(0);
    letter.onTaken();
    return letter.words.subarray(0, maxBytes);
  }
}
