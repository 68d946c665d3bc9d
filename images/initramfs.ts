import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { CPIO_CHAR_DEVICE, CPIO_DIRECTORY, CPIO_FILE, type CpioEntry, writeCpio } from "./cpio.ts";
import { ImageError } from "./errors.ts";
import { moduleName } from "./modules.ts";
import { run } from "./process.ts";

/** What the guest must load before it can see its root tree, its console ports and its network. */
export const BOOT_MODULES = [
  "virtio_pci",
  "9pnet_virtio",
  "9p",
  "virtio_net",
  "virtio_console",
] as const;

export interface InitramfsParts {
  /** A static busybox for the guest. */
  busybox: Uint8Array;
  /** `/init`, a script for busybox. */
  init: Uint8Array;
  /** In the order they are loaded in. */
  modules: readonly { file: string; data: Uint8Array }[];
  /** Options of the 9P mount of the root. */
  rootFlags: string;
}

export function buildInitramfs(parts: InitramfsParts): Buffer {
  const modules = parts.modules.map(({ file, data }) => ({ name: `${moduleName(file)}.ko`, data }));
  const entries: CpioEntry[] = [
    ...["bin", "dev", "lib", "root"].map((path) => ({ path, mode: CPIO_DIRECTORY | 0o755 })),
    // The kernel opens this for the first program before that can mount anything.
    { path: "dev/console", mode: CPIO_CHAR_DEVICE | 0o600, device: { major: 5, minor: 1 } },
    { path: "bin/busybox", mode: CPIO_FILE | 0o755, data: parts.busybox },
    { path: "init", mode: CPIO_FILE | 0o755, data: parts.init },
    file("modules", modules.map(({ name }) => `${name}\n`).join("")),
    file("rootflags", parts.rootFlags),
    ...modules.map(({ name, data }) => ({ path: `lib/${name}`, mode: CPIO_FILE | 0o644, data })),
  ];
  return gzipSync(writeCpio(entries), { level: 9 });
}

/** A module as it is loaded: neither busybox's insmod nor an emulated CPU should have more to do than that. */
export async function bareModule(file: string, data: Uint8Array): Promise<Uint8Array> {
  return withoutSignature(await decompress(file, data));
}

async function decompress(file: string, data: Uint8Array): Promise<Uint8Array> {
  if (file.endsWith(".ko")) return data;
  if (file.endsWith(".ko.gz")) return gunzipSync(data);
  if (file.endsWith(".ko.zst")) return zstdDecompressSync(data);
  if (file.endsWith(".ko.xz")) return run("xz", ["--decompress", "--stdout"], { input: data });
  throw new ImageError("BAD_ROOT", `${file} is compressed in a way that is not known.`);
}

const SIGNATURE_MARK = Buffer.from("~Module signature appended~\n");
/** `struct module_signature` (Linux include/linux/module_signature.h); its last field is the length, big-endian. */
const SIGNATURE_INFO_BYTES = 12;

/** Without its signature, which takes tens of milliseconds to check there, a module loads just as well. */
function withoutSignature(data: Uint8Array): Uint8Array {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const info = bytes.length - SIGNATURE_MARK.length - SIGNATURE_INFO_BYTES;
  if (info < 0 || !bytes.subarray(info + SIGNATURE_INFO_BYTES).equals(SIGNATURE_MARK)) return data;
  const signatureBytes = bytes.readUInt32BE(info + 8);
  return signatureBytes > info ? data : data.subarray(0, info - signatureBytes);
}

function file(path: string, text: string): CpioEntry {
  return { path, mode: CPIO_FILE | 0o644, data: Buffer.from(text) };
}
