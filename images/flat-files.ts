import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageError } from "./errors.ts";

/** Hexadecimal digits of the SHA-256 in a file's name: 96 bits; v86's own 8 digits collide too easily. */
const NAME_DIGITS = 24;
/** Bodies up to this size are hashed in memory and written once; larger ones go through a temporary file. */
const IN_MEMORY_BYTES = 4 << 20;

export interface Stored {
  /** Name in the folder. */
  flat: string;
  size: number;
}

/** The bytes of an image's files: one flat folder, a file for each different content, named by its hash. */
export class FlatFiles {
  readonly folder: string;
  readonly #hashes = new Map<string, string>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<FlatFiles> {
    await mkdir(folder);
    return new FlatFiles(folder);
  }

  async add(data: Uint8Array): Promise<Stored> {
    const { flat, isNew } = this.#claim(createHash("sha256").update(data).digest("hex"));
    if (isNew) await writeFile(join(this.folder, flat), data, { flag: "wx" });
    return { flat, size: data.length };
  }

  async addStream(body: AsyncIterable<Uint8Array>, size: number): Promise<Stored> {
    if (size <= IN_MEMORY_BYTES) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return this.add(Buffer.concat(chunks));
    }
    const temporary = join(this.folder, ".incoming");
    const hash = createHash("sha256");
    const file = await open(temporary, "w");
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    const { flat, isNew } = this.#claim(hash.digest("hex"));
    if (isNew) await rename(temporary, join(this.folder, flat));
    else await rm(temporary);
    return { flat, size };
  }

  read(flat: string): Promise<Buffer> {
    return readFile(join(this.folder, flat));
  }

  /** Remove every content that nothing names any more. */
  async keepOnly(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (!used.has(name)) await rm(join(this.folder, name));
    }
  }

  /** Full hashes of all contents, by name. */
  get hashes(): ReadonlyMap<string, string> {
    return this.#hashes;
  }

  #claim(sha256: string): { flat: string; isNew: boolean } {
    const flat = `${sha256.slice(0, NAME_DIGITS)}.bin`;
    const known = this.#hashes.get(flat);
    if (known !== undefined && known !== sha256) {
      throw new ImageError("BUILD_FAILED", `Two files share the short hash ${flat}.`);
    }
    this.#hashes.set(flat, sha256);
    return { flat, isNew: known === undefined };
  }
}
