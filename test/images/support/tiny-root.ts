import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the pieces that a build takes out of the tree. */
export const KERNEL = Buffer.alloc(50_000, "kernel");
export const BUSYBOX = Buffer.alloc(30_000, "busybox");

/** The tarball of a root tree with all that a build needs: small, with a merged /usr as Debian has it. */
export async function tinyRoot(
  folder: string,
  { kernel = true, modules = true }: { kernel?: boolean; modules?: boolean } = {},
): Promise<string> {
  const root = join(folder, "tiny-root");
  const files: Record<string, string | Buffer> = {
    "etc/hostname": "tiny\n",
    "usr/bin/busybox": BUSYBOX,
    "usr/share/doc/busybox/copyright": "left out\n",
    "var/log/build.log": "left out\n",
    "dev/left-out": "",
  };
  if (kernel) files["boot/vmlinuz-6.1.0-1-686"] = KERNEL;
  if (modules) {
    const at = "usr/lib/modules/6.1.0-1-686";
    files[`${at}/modules.dep`] =
      "kernel/9p.ko: kernel/9pnet.ko\nkernel/9pnet.ko:\nkernel/floppy.ko:\n";
    for (const name of ["9p", "9pnet", "floppy"]) files[`${at}/kernel/${name}.ko`] = `ELF ${name}`;
  }
  await mkdir(join(root, "boot"), { recursive: true });
  for (const [path, data] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), data);
  }
  await mkdir(join(root, "usr/lib"), { recursive: true });
  await symlink("usr/bin", join(root, "bin"));
  await symlink("usr/lib", join(root, "lib"));
  const tarball = join(folder, "root.tar");
  execFileSync("tar", ["-C", root, "--owner=:0", "--group=:0", "-cf", tarball, "."]);
  return tarball;
}
