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

/** Modules go in as they are loaded: busybox's insmod and an emulated CPU are both better off. */
export async function decompressModule(file: string, data: Uint8Array): Promise<Uint8Array> {
  if (file.endsWith(".ko")) return data;
  if (file.endsWith(".ko.gz")) return gunzipSync(data);
  if (file.endsWith(".ko.zst")) return zstdDecompressSync(data);
  if (file.endsWith(".ko.xz")) return run("xz", ["--decompress", "--stdout"], { input: data });
  throw new ImageError("BAD_ROOT", `${file} is compressed in a way that is not known.`);
}

function file(path: string, text: string): CpioEntry {
  return { path, mode: CPIO_FILE | 0o644, data: Buffer.from(text) };
}
