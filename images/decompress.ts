import { createReadStream, type ReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ImageError } from "./errors.ts";
import { stream } from "./process.ts";

/** A tarball's bytes, decompressed by what the file is, not by its name. */
export async function* openTarball(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const head = await firstBytes(path);
  const withSignal = signal === undefined ? {} : { signal };
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a])) {
    yield* orDamaged(stream("xz", ["--decompress", "--stdout", "--", path], withSignal));
    return;
  }
  const source = createReadStream(path, { highWaterMark: 1 << 20, ...withSignal });
  if (startsWith(head, [0x1f, 0x8b])) yield* through(source, createGunzip());
  else if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) {
    yield* through(source, createZstdDecompress());
  } else yield* source as AsyncIterable<Uint8Array>;
}

async function* through(source: ReadStream, decompressor: Transform): AsyncGenerator<Uint8Array> {
  source.on("error", (error) => decompressor.destroy(error));
  try {
    yield* orDamaged(source.pipe(decompressor));
  } finally {
    source.destroy();
  }
}

async function* orDamaged(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (cause) {
    if (cause instanceof ImageError && cause.code !== "BUILD_FAILED") throw cause;
    const message = "The root tarball does not decompress: it is damaged.";
    throw new ImageError("BAD_ARCHIVE", message, { cause });
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    const { buffer, bytesRead } = await file
      .read(new Uint8Array(8), 0, 8, 0)
      .finally(() => file.close());
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw new ImageError("BAD_ARCHIVE", `The root tarball ${path} cannot be read.`, { cause });
  }
}

function startsWith(data: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => data[index] === byte);
}
