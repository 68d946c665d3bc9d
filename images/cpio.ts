/**
 * A cpio archive in the "newc" format, which is what the kernel unpacks as an initramfs (Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root and has the time 0, so
 * equal contents make equal archives.
 */
export interface CpioEntry {
  /** Without a leading slash; parents come before their children. */
  path: string;
  /** With type bits. */
  mode: number;
  /** A file's bytes or a link's target. */
  data?: Uint8Array;
  device?: { major: number; minor: number };
}

export const CPIO_FILE = 0o100000;
export const CPIO_DIRECTORY = 0o040000;
export const CPIO_SYMLINK = 0o120000;
export const CPIO_CHAR_DEVICE = 0o020000;

export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => record(entry, index + 1));
  return Buffer.concat([...parts, ...record({ path: "TRAILER!!!", mode: 0 }, 0)]);
}

function record(entry: CpioEntry, inode: number): Buffer[] {
  const name = Buffer.from(`${entry.path}\0`);
  const data = entry.data ?? new Uint8Array(0);
  const links = entry.mode & CPIO_DIRECTORY ? 2 : 1;
  const fields = [
    inode,
    entry.mode,
    0, // uid
    0, // gid
    links,
    0, // mtime
    data.length,
    0, // device the file is on: major
    0, // and minor
    entry.device?.major ?? 0,
    entry.device?.minor ?? 0,
    name.length,
    0, // checksum: not used by "newc"
  ];
  const hex = fields.map((value) => value.toString(16).toUpperCase().padStart(8, "0")).join("");
  const header = Buffer.concat([Buffer.from(`070701${hex}`), name]);
  return [padded(header), padded(Buffer.from(data))];
}

/** Headers with their names, and bodies, fill up to multiples of four bytes. */
function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
