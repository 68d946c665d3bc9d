import { ByteReader } from "./byte-reader.ts";
import { ImageError } from "./errors.ts";

/**
 * A streaming reader for tar archives as tar(1), dpkg-deb and npm write them: ustar (POSIX.1-1988), GNU long
 * names and base-256 numbers, and pax extended headers (POSIX.1-2001). Archives are hostile input: a path that
 * climbs out, a wrong checksum, a short body, an unreadable name each end the reading with `BAD_ARCHIVE`.
 */
export interface TarEntry {
  type: "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";
  /** Components below the archive's root; empty for the root itself. */
  path: string[];
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970, whole. */
  mtime: number;
  size: number;
  /** Target of a symbolic link as it stands, or the path of a hard link. */
  link: string;
  device: { major: number; minor: number };
  /** The bytes of a file; what is not read is skipped when the next entry is asked for. */
  body: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
/** A pax header or a GNU long name longer than this is an attack, not a name. */
const MAX_META_BYTES = 1 << 20;

const TYPES: Record<string, TarEntry["type"]> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source);
  const globals = new Map<string, string>();
  let locals = new Map<string, string>();

  for (;;) {
    const header = await reader.read(BLOCK);
    if (header === undefined) throw bad("it ends without an end marker, so it was cut short");
    if (header.every((byte) => byte === 0)) {
      // Two zero blocks end an archive; what follows is padding, read so that a pipe's writer is not killed.
      await reader.drain();
      return;
    }
    checkSum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const headerSize = number(header, 124, 12, "size");

    if (type === "x" || type === "g") {
      const records = parsePax(await meta(reader, headerSize));
      for (const [key, value] of records) (type === "g" ? globals : locals).set(key, value);
      continue;
    }
    if (type === "L" || type === "K") {
      const name = text(await meta(reader, headerSize)).replace(/\0.*$/s, "");
      locals.set(type === "L" ? "path" : "linkpath", name);
      continue;
    }

    const pax = (key: string) => locals.get(key) ?? globals.get(key);
    const name = pax("path") ?? headerName(header);
    const kind = TYPES[type];
    if (kind === undefined || [...locals.keys()].some((key) => key.startsWith("GNU.sparse"))) {
      throw bad(`"${name}" is of a kind that is not supported (type "${type}")`);
    }
    // Only files have a body; some writers put a hard link's size into its header all the same.
    const size = kind === "file" ? paxNumber(pax("size"), headerSize, "size") : 0;
    const body = bodyOf(reader, size, name);
    yield {
      type: kind,
      path: splitPath(name),
      mode: number(header, 100, 8, "mode") & 0o7777,
      uid: paxNumber(pax("uid"), number(header, 108, 8, "uid"), "uid"),
      gid: paxNumber(pax("gid"), number(header, 116, 8, "gid"), "gid"),
      mtime: Math.floor(paxNumber(pax("mtime"), number(header, 136, 12, "mtime"), "mtime")),
      size,
      link: pax("linkpath") ?? field(header, 157, 100),
      device: {
        major: kind === "char" || kind === "block" ? number(header, 329, 8, "device") : 0,
        minor: kind === "char" || kind === "block" ? number(header, 337, 8, "device") : 0,
      },
      body,
    };
    for await (const _ of body) {
      // Skip what the caller left.
    }
    await reader.skip((BLOCK - (size % BLOCK)) % BLOCK);
    locals = new Map();
  }
}

/**
 * Components of a path inside an archive. Absolute paths are taken from the archive's root, as tar(1) does.
 *
 * @example splitPath("./usr//bin/sh") // ["usr", "bin", "sh"]
 */
export function splitPath(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  for (const part of parts) {
    if (part === "..") throw bad(`"${path}" climbs out of the archive`);
    if (part.includes("\0")) throw bad(`"${path}" has a zero byte in its name`);
    if (Buffer.byteLength(part) > 255) throw bad(`"${part.slice(0, 40)}…" is too long a name`);
  }
  return parts;
}

/** Can be iterated more than once: each time goes on where the last one stopped. */
function bodyOf(reader: ByteReader, size: number, name: string): AsyncIterable<Uint8Array> {
  let left = size;
  return {
    async *[Symbol.asyncIterator]() {
      while (left > 0) {
        const chunk = await reader.readSome(left);
        if (chunk === undefined) throw bad(`it ends in the middle of "${name}"`);
        left -= chunk.length;
        yield chunk;
      }
    },
  };
}

async function meta(reader: ByteReader, size: number): Promise<Uint8Array> {
  if (size > MAX_META_BYTES) throw bad(`a name or attribute list of ${size} bytes`);
  const data = await reader.read(size);
  if (data === undefined) throw bad("it ends in the middle of a header");
  await reader.skip((BLOCK - (size % BLOCK)) % BLOCK);
  return data;
}

/** Records of the form "LENGTH KEY=VALUE\n", the length counting itself (POSIX pax, "pax Header Block"). */
function parsePax(data: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < data.length && data[at] !== 0) {
    const space = data.indexOf(0x20, at);
    const length = Number(text(data.subarray(at, space < 0 ? at : space)) || Number.NaN);
    const end = at + length;
    if (!Number.isSafeInteger(length) || end <= space || end > data.length) {
      throw bad("a malformed attribute list");
    }
    const equals = data.indexOf(0x3d, space);
    if (equals < 0 || equals >= end || data[end - 1] !== 0x0a) {
      throw bad("a malformed attribute list");
    }
    const key = text(data.subarray(space + 1, equals));
    // Extended attributes may be binary and are not kept: their values are not decoded.
    if (/^(path|linkpath|size|mtime|uid|gid|GNU\.sparse.*)$/.test(key)) {
      records.set(key, text(data.subarray(equals + 1, end - 1)));
    }
    at = end;
  }
  return records;
}

function checkSum(header: Uint8Array): void {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  if (sum !== number(header, 148, 8, "checksum")) throw bad("a header with a wrong checksum");
}

function headerName(header: Uint8Array): string {
  const name = field(header, 0, 100);
  // POSIX magic is "ustar\0"; GNU's "ustar  " puts other things where the prefix is.
  const isPosix = text(header.subarray(257, 263)) === "ustar\0";
  const prefix = isPosix ? field(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function field(header: Uint8Array, offset: number, length: number): string {
  const raw = header.subarray(offset, offset + length);
  const end = raw.indexOf(0);
  return text(end < 0 ? raw : raw.subarray(0, end));
}

/** Octal digits, or GNU's base-256 big-endian with the top bit set for what octal cannot hold. */
function number(header: Uint8Array, offset: number, length: number, what: string): number {
  const first = header[offset] ?? 0;
  if (first & 0x80) {
    const raw = header.subarray(offset, offset + length);
    let value = BigInt(first & 0x7f);
    for (const byte of raw.subarray(1)) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(length * 8 - 1, value);
    if (signed < 0n && what === "mtime") return Number(signed);
    if (signed < 0n || signed > BigInt(Number.MAX_SAFE_INTEGER)) throw bad(`an impossible ${what}`);
    return Number(signed);
  }
  const digits = field(header, offset, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw bad(`an unreadable ${what}`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function paxNumber(value: string | undefined, fallback: number, what: string): number {
  if (value === undefined) return fallback;
  const parsed = Number(value);
  const isGood = what === "mtime" ? Number.isFinite(parsed) : Number.isSafeInteger(parsed);
  if (value === "" || !isGood || (what !== "mtime" && parsed < 0))
    throw bad(`an impossible ${what}`);
  return parsed;
}

/** Names go into JSON, so they must be UTF-8: a lossy decoding would silently rename files. */
function text(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw bad("a name that is not UTF-8", cause);
  }
}

function bad(what: string, cause?: unknown): ImageError {
  return new ImageError("BAD_ARCHIVE", `The tar archive cannot be used: ${what}.`, { cause });
}
