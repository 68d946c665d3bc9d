import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BuildOptions, buildImage } from "../../images/build.ts";
import type { FsJson, FsJsonNode } from "../../images/fs-json.ts";
import { findImage, openImage, verifyImage } from "../../images/image.ts";
import type { ProgressEvent } from "../../images/progress.ts";
import { BUSYBOX, KERNEL, tinyRoot } from "./support/tiny-root.ts";

let dataDir: string;
let rootfs: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mom-build-"));
  rootfs = await tinyRoot(dataDir);
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

function build(options: Partial<BuildOptions> = {}) {
  return buildImage({ dataDir, rootfs, onProgress: () => undefined, ...options });
}

/** What is in the folder of images, but for the lock. */
async function leftovers(): Promise<string[]> {
  const names = await readdir(join(dataDir, "images")).catch(() => []);
  return names.filter((name) => name !== ".lock");
}

/** The same tree with one file more. */
async function otherTarball(): Promise<string> {
  const other = join(dataDir, "other.tar");
  await copyFile(rootfs, other);
  execFileSync("tar", ["-C", dataDir, "--transform=s/.*/marker/", "-rf", other, "root.tar"]);
  return other;
}

function find(json: FsJson, path: string): FsJsonNode | undefined {
  let children: FsJsonNode[] | undefined = json.fsroot;
  let found: FsJsonNode | undefined;
  for (const name of path.split("/")) {
    found = children?.find(([candidate]) => candidate === name);
    children = Array.isArray(found?.[6]) ? (found[6] as FsJsonNode[]) : undefined;
  }
  return found;
}

describe("an image built from a tarball", () => {
  test("has kernel, initramfs, firmware, tree and files, as its manifest says", async () => {
    const { dir, id, reused, bytes } = await build();
    const image = await verifyImage(dir);
    expect({ id, reused }).toEqual({ id: image.id, reused: false });
    expect((await readdir(dir)).sort()).toEqual(
      [
        "bios.bin",
        "files",
        "fs.json",
        "initramfs",
        "kernel",
        "manifest.json",
        "vgabios.bin",
      ].sort(),
    );
    expect(bytes).toBeGreaterThan(KERNEL.length);
    expect((await readFile(image.kernel)).equals(KERNEL)).toBe(true);
    expect((await readFile(image.bios)).length).toBe(131072);
    expect(image.manifest.kernelVersion).toBe("6.1.0-1-686");
    expect(image.manifest.machine.cmdline).toContain("console=ttyS0");
    expect(image.manifest.inputs.rootfsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await leftovers()).toEqual([id]);
  });

  test("leaves the kernel, documentation, logs and unused modules out of the tree", async () => {
    const { dir } = await build();
    const json: FsJson = JSON.parse(await readFile(join(dir, "fs.json"), "utf8"));
    const modules = "usr/lib/modules/6.1.0-1-686/kernel";
    for (const path of [
      "boot/vmlinuz-6.1.0-1-686",
      "usr/share/doc/busybox",
      "var/log/build.log",
      "dev/left-out",
      `${modules}/floppy.ko`,
    ]) {
      expect(find(json, path), path).toBeUndefined();
    }
    for (const path of ["boot", "dev", "var/log", "etc/hostname", `${modules}/9p.ko`]) {
      expect(find(json, path), path).toBeDefined();
    }
  });

  test("holds the guest's own programs, ready to run", async () => {
    const { dir } = await build();
    const json: FsJson = JSON.parse(await readFile(join(dir, "fs.json"), "utf8"));
    const init = find(json, "usr/lib/mom/init");
    expect(init?.[3]).toBe(0o100755);
    const bytes = await readFile(join(dir, "files", String(init?.[6])));
    const source = new URL("../../images/guest/usr/lib/mom/init", import.meta.url);
    expect(bytes.equals(await readFile(source))).toBe(true);
  });

  test("has an initramfs with busybox and the modules in the order of their needs", async () => {
    const { dir } = await build();
    const cpio = gunzipSync(await readFile(join(dir, "initramfs")));
    expect(cpio.includes(BUSYBOX)).toBe(true);
    expect(cpio.includes("9pnet.ko\n9p.ko\n")).toBe(true);
    expect(cpio.includes("ELF 9pnet")).toBe(true);
    expect(cpio.includes("ELF floppy")).toBe(false);
  });

  test("comes out the same, byte for byte, in another folder", async () => {
    const first = await build();
    const other = join(dataDir, "other");
    const second = await build({ dataDir: other });
    expect(second.id).toBe(first.id);
    for (const name of ["fs.json", "initramfs", "kernel"]) {
      const bytes = await readFile(join(second.dir, name));
      expect(bytes.equals(await readFile(join(first.dir, name))), name).toBe(true);
    }
  });
});

describe("a second build", () => {
  test("of the same recipe returns the first one's image at once", async () => {
    const first = await build();
    const events: ProgressEvent[] = [];
    const second = await build({ onProgress: (event) => events.push(event) });
    expect(second).toMatchObject({ id: first.id, reused: true });
    expect(events).toEqual([]);
  });

  test("of another tarball makes another image", async () => {
    const first = await build();
    const second = await build({ rootfs: await otherTarball() });
    expect(second).toMatchObject({ reused: false });
    expect((await leftovers()).sort()).toEqual([first.id, second.id].sort());
  });

  test("that is to be fresh is made although there is one", async () => {
    const first = await build();
    expect(await build({ fresh: true })).toMatchObject({ id: first.id, reused: false });
    const events: ProgressEvent[] = [];
    await build({ fresh: true, onProgress: (event) => events.push(event) });
    expect(events).toContainEqual(expect.objectContaining({ kind: "done", step: "root" }));
  });

  test("at the same time waits for the first and takes its image", async () => {
    const both = await Promise.all([build(), build()]);
    expect(both.map(({ reused }) => reused).sort()).toEqual([false, true]);
    expect(await leftovers()).toEqual([both[0].id]);
  });

  test("makes its image the current one, be it new or found", async () => {
    const first = await build();
    expect((await findImage(dataDir))?.id).toBe(first.id);
    const second = await build({ rootfs: await otherTarball() });
    expect((await findImage(dataDir))?.id).toBe(second.id);
    expect((await build()).reused).toBe(true);
    expect((await findImage(dataDir))?.id).toBe(first.id);
  });

  test("of an earlier recipe is not found", async () => {
    const { dir } = await build();
    const manifest = JSON.parse(await readFile(join(dir, "manifest.json"), "utf8"));
    await writeFile(
      join(dir, "manifest.json"),
      JSON.stringify({ ...manifest, recipe: "0".repeat(64) }),
    );
    expect(await findImage(dataDir)).toBeUndefined();
  });

  test("of the same tree in another wrapping keeps the image that is there", async () => {
    const first = await build();
    const packed = join(dataDir, "root.tar.gz");
    await writeFile(packed, gzipSync(await readFile(rootfs)));
    const { ino } = await stat(first.dir);
    expect((await build({ rootfs: packed })).id).toBe(first.id);
    expect((await stat(first.dir)).ino).toBe(ino);
    expect(await leftovers()).toEqual([first.id]);
  });

  test("replaces an image that is damaged", async () => {
    const { dir, id } = await build();
    await truncate(join(dir, "kernel"), 10);
    expect(await build()).toMatchObject({ id, reused: false });
    await verifyImage(dir);
  });
});

describe("a build that is stopped half-way", () => {
  test.each(["root", "kernel", "finish"])(
    "by SIGKILL at the step %s leaves nothing that looks finished, and the next one cleans up",
    async (step) => {
      const script = join(import.meta.dirname, "support/build-and-die.ts");
      const { signal } = spawnSync(process.execPath, [script, dataDir, rootfs, step]);
      expect(signal).toBe("SIGKILL");
      expect(await leftovers()).toEqual([expect.stringMatching(/^\.build-/)]);
      expect(await findImage(dataDir)).toBeUndefined();

      const { id } = await build();
      expect(await leftovers()).toEqual([id]);
    },
  );

  test.each(["root", "kernel", "finish"])(
    "by its signal at the step %s leaves nothing",
    async (step) => {
      const controller = new AbortController();
      const building = build({
        signal: controller.signal,
        onProgress: (event) => {
          if (event.kind === "start" && event.step === step) controller.abort();
        },
      });
      await expect(building).rejects.toMatchObject({ code: "ABORTED" });
      expect(await leftovers()).toEqual([]);
    },
  );
});

describe("a root that cannot become an image", () => {
  test("without a kernel is BAD_ROOT, naming what is missing", async () => {
    await rm(join(dataDir, "tiny-root"), { recursive: true });
    const bare = await tinyRoot(dataDir, { kernel: false });
    await expect(build({ rootfs: bare })).rejects.toMatchObject({
      code: "BAD_ROOT",
      message: expect.stringContaining("/boot/vmlinuz-"),
    });
    expect(await leftovers()).toEqual([]);
  });

  test("without modules is BAD_ROOT, naming the folder", async () => {
    await rm(join(dataDir, "tiny-root"), { recursive: true });
    const bare = await tinyRoot(dataDir, { modules: false });
    await expect(build({ rootfs: bare })).rejects.toMatchObject({
      code: "BAD_ROOT",
      message: expect.stringContaining("/lib/modules/6.1.0-1-686"),
    });
  });

  test("that is not there or not a tarball is BAD_ARCHIVE", async () => {
    const missing = join(dataDir, "nowhere.tar");
    await expect(build({ rootfs: missing })).rejects.toMatchObject({ code: "BAD_ARCHIVE" });
    const text = join(dataDir, "text.tar");
    await writeFile(text, "this is not a tarball\n".repeat(100));
    await expect(build({ rootfs: text })).rejects.toMatchObject({ code: "BAD_ARCHIVE" });
  });
});

describe("opening an image", () => {
  test("names a file that was cut short", async () => {
    const { dir, manifest } = await build();
    const [flat = ""] = Object.entries(manifest.files.index).find(([, { size }]) => size > 0) ?? [];
    await truncate(join(dir, "files", flat), 0);
    await expect(openImage(dir)).rejects.toMatchObject({
      code: "IMAGE_INCOMPLETE",
      message: expect.stringContaining(`files/${flat} has 0 bytes`),
    });
  });

  test.each(["kernel", "initramfs", "bios.bin", "fs.json"])("names a missing %s", async (name) => {
    const { dir } = await build();
    await rm(join(dir, name));
    await expect(openImage(dir)).rejects.toMatchObject({
      code: "IMAGE_INCOMPLETE",
      message: expect.stringContaining(`${name} is missing`),
    });
  });

  test("names a damaged manifest", async () => {
    const { dir } = await build();
    await appendFile(join(dir, "manifest.json"), "x");
    await expect(openImage(dir)).rejects.toMatchObject({
      code: "IMAGE_INCOMPLETE",
      message: expect.stringContaining("manifest.json"),
    });
  });

  test("says how to build one where there is none", async () => {
    await expect(openImage(join(dataDir, "none"))).rejects.toMatchObject({
      code: "IMAGE_MISSING",
      message: expect.stringContaining("./mom image build"),
    });
    expect(await findImage(join(dataDir, "none"))).toBeUndefined();
  });

  test("and verifying it finds a byte that changed", async () => {
    const { dir } = await build();
    const kernel = await readFile(join(dir, "kernel"));
    kernel[1000] = 0;
    await writeFile(join(dir, "kernel"), kernel);
    await openImage(dir);
    await expect(verifyImage(dir)).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
      message: expect.stringContaining("kernel"),
    });
  });
});

test.runIf(process.getuid?.() === 0)("a full disk is DISK_FULL, and leaves nothing", async () => {
  const small = join(dataDir, "small");
  await mkdir(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=96k", "tmpfs", small]);
  try {
    await expect(build({ dataDir: small })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect((await readdir(join(small, "images"))).filter((name) => name !== ".lock")).toEqual([]);
  } finally {
    execFileSync("umount", [small]);
  }
});
