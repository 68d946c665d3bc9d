import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { NinePError } from "./errno.ts";
import { decompress } from "./zstd.ts";

export interface FlatFilesOptions {
  folder: string;
  /** Descriptors kept open. */
  maxOpen?: number;
  /** Memory for the contents of compressed files. */
  maxInflatedBytes?: number;
}

/** What a flat file may be called: a hash and nothing that could lead out of the folder. */
const FLAT_NAME = /^[0-9a-f]{4,128}\.bin(\.zst)?$/;

export function isFlatName(name: string): boolean {
  return FLAT_NAME.test(name);
}

/** The contents of an image: files named by their hash in one folder, plain (`.bin`) or compressed (`.bin.zst`). */
export class FlatFiles {
  readonly #folder: string;
  readonly #maxOpen: number;
  readonly #maxInflatedBytes: number;
  /** Both in the order of last use. */
  readonly #descriptors = new Map<string, number>();
  readonly #inflated = new Map<string, Uint8Array>();
  #inflatedBytes = 0;

  constructor(options: FlatFilesOptions) {
    this.#folder = options.folder;
    this.#maxOpen = options.maxOpen ?? 128;
    this.#maxInflatedBytes = options.maxInflatedBytes ?? 64 * 1024 * 1024;
  }

  /** Fills `into` from `offset` on, which must lie within the `size` that the image's index gives the file. */
  read(name: string, size: number, offset: number, into: Uint8Array): void {
    if (into.length === 0) return;
    if (name.endsWith(".zst")) {
      into.set(this.#inflate(name, size).subarray(offset, offset + into.length));
      return;
    }
    const descriptor = this.#open(name, size);
    let done = 0;
    while (done < into.length) {
      const count = readSync(descriptor, into, done, into.length - done, offset + done);
      if (count === 0) throw damaged(name);
      done += count;
    }
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
    this.#inflated.clear();
    this.#inflatedBytes = 0;
  }

  #open(name: string, size: number): number {
    const known = this.#descriptors.get(name);
    if (known !== undefined) {
      this.#descriptors.delete(name);
      this.#descriptors.set(name, known);
      return known;
    }
    const descriptor = openSync(join(this.#folder, name), "r");
    if (fstatSync(descriptor).size !== size) {
      closeSync(descriptor);
      throw damaged(name);
    }
    this.#descriptors.set(name, descriptor);
    for (const [oldest, fd] of this.#descriptors) {
      if (this.#descriptors.size <= this.#maxOpen) break;
      this.#descriptors.delete(oldest);
      closeSync(fd);
    }
    return descriptor;
  }

  #inflate(name: string, size: number): Uint8Array {
    const known = this.#inflated.get(name);
    if (known !== undefined) {
      this.#inflated.delete(name);
      this.#inflated.set(name, known);
      return known;
    }
    const compressed = readFileSync(join(this.#folder, name));
    const bytes = decompress(compressed, size);
    if (bytes.length !== size) throw damaged(name);
    this.#inflated.set(name, bytes);
    this.#inflatedBytes += bytes.length;
    for (const [oldest, each] of this.#inflated) {
      if (this.#inflatedBytes <= this.#maxInflatedBytes || this.#inflated.size === 1) break;
      this.#inflated.delete(oldest);
      this.#inflatedBytes -= each.length;
    }
    return bytes;
  }
}

function damaged(name: string): NinePError {
  return new NinePError("EIO", `the image's file ${name} is not as long as its index says`);
}
