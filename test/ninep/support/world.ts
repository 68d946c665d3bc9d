import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type BlobStore, DiskBlobStore } from "../../../workers/ninep/blob-store.ts";
import { BlockPool } from "../../../workers/ninep/blocks.ts";
import type { FileSystem } from "../../../workers/ninep/filesystem.ts";
import { ImageTree } from "../../../workers/ninep/image-tree.ts";
import { Overlay } from "../../../workers/ninep/overlay.ts";
import { NinePServer } from "../../../workers/ninep/server.ts";
import { Client } from "./client.ts";

/** A node of `fs.json` version 3. */
export type IndexNode = [
  name: string,
  size: number,
  mtime: number,
  mode: number,
  uid: number,
  gid: number,
  extra?: unknown,
];

export const IMAGE_MTIME = 1_600_000_000;

/** Builds an image's index and its folder of flat files. */
export class ImageBuilder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  file(name: string, data: Uint8Array | string, mode = 0o100644): IndexNode {
    const bytes = Buffer.from(data as Uint8Array);
    const flat = `${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.bin`;
    writeFileSync(join(this.folder, flat), bytes);
    return [name, bytes.length, IMAGE_MTIME, mode, 0, 0, flat];
  }

  folderNode(name: string, children: IndexNode[]): IndexNode {
    return [name, 0, IMAGE_MTIME, 0o040755, 0, 0, children];
  }

  link(name: string, target: string): IndexNode {
    return [name, target.length, IMAGE_MTIME, 0o120777, 0, 0, target];
  }
}

export const BIG_BYTES = 300_000;

/** A file whose bytes tell where they are from. */
export function pattern(bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) data[i] = (i * 7 + (i >> 8)) & 0xff;
  return data;
}

function sampleImage(builder: ImageBuilder): unknown {
  return {
    version: 3,
    size: 0,
    fsroot: [
      builder.folderNode("etc", [
        builder.file("hostname", "guest\n"),
        builder.file("shadow", "secret\n", 0o100600),
        builder.folderNode("empty", []),
        builder.folderNode("deep", [builder.folderNode("er", [builder.file("leaf", "leaf\n")])]),
      ]),
      builder.file("big", pattern(BIG_BYTES)),
      builder.link("link", "etc/hostname"),
      ["null", 0, IMAGE_MTIME, 0o020666, 0, 0, [1, 3]],
      builder.file("sudo", "#!suid\n", 0o104755),
    ],
  };
}

export interface World {
  folder: string;
  image: ImageTree;
  pool: BlockPool;
  store: BlobStore;
  overlay: Overlay;
  server: NinePServer;
  client: Client;
  clock: { sec: number };
}

export interface WorldOptions {
  bytes?: number;
  inodes?: number;
  memoryBytes?: number;
  cacheBytes?: number;
  maxFids?: number;
  store?: BlobStore;
  scratchFolder?: string;
  /** Served besides the overlay, which is `/`. */
  trees?: Record<string, FileSystem>;
  index?: (builder: ImageBuilder) => unknown;
  onMalformed?: (reason: string) => void;
  onFault?: (error: Error) => void;
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mom-ninep-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server over an overlay over a small image, with a mount. All gone after the test. */
export function world(options: WorldOptions = {}): World {
  const folder = temporaryFolder();
  const builder = new ImageBuilder(join(folder, "files"));
  const index = (options.index ?? sampleImage)(builder);
  const image = new ImageTree({ index, folder: builder.folder });
  const store = options.store ?? new DiskBlobStore(join(folder, "blobs"));
  const { memoryBytes, cacheBytes } = options;
  const scratchFolder = options.scratchFolder ?? folder;
  const pool = new BlockPool({
    store,
    scratchFolder,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  });
  const clock = { sec: 1_700_000_000 };
  const quota = { bytes: options.bytes ?? 2 ** 33, inodes: options.inodes ?? 1_000_000 };
  const overlay = new Overlay({
    image,
    blocks: pool,
    quota,
    now: () => ({ sec: clock.sec, nsec: 5 }),
  });
  const server = new NinePServer({
    attach: (aname) => (aname === "/" ? overlay : options.trees?.[aname]),
    ...(options.maxFids === undefined ? {} : { maxFids: options.maxFids }),
    ...(options.onMalformed === undefined ? {} : { onMalformed: options.onMalformed }),
    onFault: options.onFault ?? ((error) => console.error(error)),
  });
  onTestFinished(() => {
    pool.close();
    image.close();
  });
  return { folder, image, pool, store, overlay, server, client: Client.mount(server), clock };
}

/** A file system that does some things its own way. */
export function withChanges(base: FileSystem, changes: Partial<FileSystem>): FileSystem {
  return new Proxy(base, {
    get(target, key) {
      const changed = Reflect.get(changes, key);
      if (changed !== undefined) return changed;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
