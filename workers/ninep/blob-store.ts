import {
  closeSync,
  constants as files,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { decompress } from "./zstd.ts";

/** Keeps bytes under their SHA-256. Whoever reads them checks the hash. */
export interface BlobStore {
  /** Throws where there is no such blob. */
  get(hash: string): Uint8Array;
  /** What is there already, undamaged, only becomes young again. Throws the host's error (ENOSPC, …), with nothing kept. */
  put(hash: string, bytes: Uint8Array): void;
}

export class BlobStoreError extends Error {
  override readonly name = "BlobStoreError";
  readonly code: "BAD_NAME" | "MISSING" | "DAMAGED";

  constructor(code: "BAD_NAME" | "MISSING" | "DAMAGED", message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const HASH = /^[0-9a-f]{64}$/;
const ZSTD_LEVEL = 1;
/** No blob is that large: more means a damaged file, and memory is not spent on it. */
const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** Blobs as zstd files, `ab/cd/abcd….zst`; several processes may share a folder. */
export class DiskBlobStore implements BlobStore {
  readonly #folder: string;
  #temporary = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get(hash: string): Uint8Array {
    const path = this.#path(hash);
    let compressed: Uint8Array;
    try {
      compressed = readFileSync(path);
    } catch (cause) {
      throw new BlobStoreError("MISSING", `blob ${hash} cannot be read`, { cause });
    }
    try {
      return decompress(compressed, MAX_BLOB_BYTES);
    } catch (cause) {
      throw new BlobStoreError("DAMAGED", `blob ${hash} is damaged`, { cause });
    }
  }

  /** Its bytes are on disk when it returns; its name, when its folder is synced, which this process may not do. */
  put(hash: string, bytes: Uint8Array): void {
    const path = this.#path(hash);
    if (touched(path) && this.#holds(hash, bytes)) return;
    const parameters = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    const compressed = zstdCompressSync(bytes, { params: parameters });
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}-${this.#temporary++}.tmp`;
    try {
      writeDurably(temporary, compressed);
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** False for a file that a failing disk has changed: it is written anew. */
  #holds(hash: string, bytes: Uint8Array): boolean {
    try {
      return Buffer.compare(this.get(hash), bytes) === 0;
    } catch (error) {
      if (error instanceof BlobStoreError) return false;
      throw error;
    }
  }

  #path(hash: string): string {
    if (!HASH.test(hash)) throw new BlobStoreError("BAD_NAME", "a blob is named by its SHA-256");
    return join(this.#folder, hash.slice(0, 2), hash.slice(2, 4), `${hash}.zst`);
  }
}

/** O_DSYNC instead of fdatasync(2), which Node's permission model refuses to a confined process. */
const WRITE_DURABLY = files.O_WRONLY | files.O_CREAT | files.O_TRUNC | files.O_DSYNC;

/**
 * Whether the file is there. If so, its time is now: a collector that found it without use a moment ago sees
 * that it is needed again.
 */
function touched(path: string): boolean {
  const now = new Date();
  try {
    utimesSync(path, now, now);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

function writeDurably(path: string, data: Uint8Array): void {
  const descriptor = openSync(path, WRITE_DURABLY, 0o600);
  try {
    let done = 0;
    while (done < data.length) done += writeSync(descriptor, data, done);
  } finally {
    closeSync(descriptor);
  }
}
