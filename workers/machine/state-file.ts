import { constants, zstdCompressSync } from "node:zlib";
import { z } from "zod";
import { decompress } from "../ninep/zstd.ts";
import { MachineError } from "./api.ts";

/**
 * How a machine's state is written: JSON and a few buffers, compressed with zstd.
 *
 * Layout before compression, little endian: magic "MOMSTATE", version u32, JSON length u32, JSON, then the buffers
 * in the order of `buffers`, whose lengths stand in the JSON's envelope.
 */

const MAGIC = "MOMSTATE";
const VERSION = 2;
const HEADER_BYTES = MAGIC.length + 8;
/** A 256 MB guest fits four times over; a file that claims more is not ours. */
const MAX_STATE_BYTES = 1 << 30;

const Envelope = z.object({
  lengths: z.array(z.number().int().nonnegative()).max(16),
  content: z.unknown(),
});

export interface StateParts {
  content: unknown;
  buffers: Uint8Array[];
}

export function packState({ content, buffers }: StateParts, level: number): Uint8Array {
  const json = Buffer.from(
    JSON.stringify({ lengths: buffers.map((buffer) => buffer.length), content }),
  );
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC);
  header.writeUInt32LE(VERSION, MAGIC.length);
  header.writeUInt32LE(json.length, MAGIC.length + 4);
  return zstdCompressSync(Buffer.concat([header, json, ...buffers]), {
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      // Without it a flipped bit may well decompress, into another memory.
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** @throws MachineError BAD_STATE, whatever the bytes are. */
export function unpackState(packed: Uint8Array): StateParts {
  let bytes: Buffer;
  try {
    bytes = decompress(packed, MAX_STATE_BYTES);
  } catch (cause) {
    throw new MachineError("BAD_STATE", "the saved state is damaged: it cannot be decompressed", {
      cause,
    });
  }
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw new MachineError("BAD_STATE", "the saved state is not one of Mom's");
  }
  const version = bytes.readUInt32LE(MAGIC.length);
  if (version !== VERSION) {
    throw new MachineError(
      "BAD_STATE",
      `the saved state has format ${version}; this Mom reads format ${VERSION}`,
    );
  }
  const bodyAt = HEADER_BYTES + bytes.readUInt32LE(MAGIC.length + 4);
  if (bodyAt > bytes.length) throw new MachineError("BAD_STATE", "the saved state is cut short");
  const envelope = parseEnvelope(bytes.toString("utf8", HEADER_BYTES, bodyAt));

  const buffers: Uint8Array[] = [];
  let at = bodyAt;
  for (const length of envelope.lengths) {
    if (at + length > bytes.length) {
      throw new MachineError("BAD_STATE", "the saved state is cut short");
    }
    buffers.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { content: envelope.content, buffers };
}

function parseEnvelope(json: string): z.infer<typeof Envelope> {
  try {
    return Envelope.parse(JSON.parse(json));
  } catch (cause) {
    throw new MachineError("BAD_STATE", "the saved state is damaged: its head cannot be read", {
      cause,
    });
  }
}
