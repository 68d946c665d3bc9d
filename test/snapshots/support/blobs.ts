import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";

/** A blob as machines write it. */
export function compressedBlob(content: string): { hash: string; bytes: Uint8Array } {
  return {
    hash: createHash("sha256").update(content).digest("hex"),
    bytes: zstdCompressSync(content),
  };
}
