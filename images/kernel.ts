import { ImageError } from "./errors.ts";
import type { FlatFiles } from "./flat-files.ts";
import { BOOT_MODULES, bareModule, buildInitramfs } from "./initramfs.ts";
import { loadOrder, modulesPath, parseModulesDep } from "./modules.ts";
import { type DirectoryNode, type FileNode, lookup, resolveLinks } from "./tree.ts";

export interface KernelParts {
  version: string;
  kernel: Uint8Array;
  initramfs: Uint8Array;
  /** What the initramfs loads, in order. */
  modules: string[];
}

/**
 * Take the kernel out of the tree, keep only the modules that are of use, and make the initramfs from the
 * tree's own busybox and modules.
 */
export async function takeKernel(
  root: DirectoryNode,
  files: FlatFiles,
  options: { keepModules: readonly string[]; init: Uint8Array; rootFlags: string },
): Promise<KernelParts> {
  const { version, node } = findKernel(root);
  const kernel = await files.read(node.flat);
  root.children.set("boot", { ...directoryAt(root, ["boot"]), children: new Map() });

  const folder = modulesPath(root, version);
  const dependencies = parseModulesDep(
    (await readFrom(root, files, [...folder, "modules.dep"])).toString(),
  );
  pruneModules(
    root,
    folder,
    new Set(loadOrder(dependencies, [...options.keepModules, ...BOOT_MODULES])),
  );

  const order = loadOrder(dependencies, BOOT_MODULES);
  const modules = await Promise.all(
    order.map(async (file) => {
      const data = await readFrom(root, files, [...folder, ...file.split("/")]);
      return { file, data: await bareModule(file, data) };
    }),
  );
  const busybox = await readFrom(root, files, ["bin", "busybox"]);
  const initramfs = buildInitramfs({ busybox, modules, ...options });
  return { version, kernel, initramfs, modules: order };
}

/** The newest by name, where a tarball has several. */
function findKernel(root: DirectoryNode): { version: string; node: FileNode } {
  const boot = directoryAt(root, ["boot"]);
  const prefix = "vmlinuz-";
  const names = [...boot.children.keys()].filter((name) => name.startsWith(prefix));
  const name = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  const node = name === undefined ? undefined : boot.children.get(name);
  if (name === undefined || node?.kind !== "file") {
    throw new ImageError("BAD_ROOT", "The root tree has no kernel: no file /boot/vmlinuz-VERSION.");
  }
  return { version: name.slice(prefix.length), node };
}

/** Modules below a version's folder that are not in the list go, and so do their lines in modules.dep. */
function pruneModules(root: DirectoryNode, folder: string[], keep: ReadonlySet<string>): void {
  const prune = (directory: DirectoryNode, below: string[]) => {
    for (const [name, node] of directory.children) {
      const path = [...below, name];
      if (node.kind === "directory") {
        prune(node, path);
        if (node.children.size === 0) directory.children.delete(name);
      } else if (/\.ko(\.\w+)?$/.test(name) && !keep.has(path.join("/"))) {
        directory.children.delete(name);
      }
    }
  };
  const node = directoryAt(root, folder);
  prune(node, []);
  // Links to headers that nobody has.
  for (const name of ["build", "source"]) node.children.delete(name);
}

function directoryAt(root: DirectoryNode, path: string[]): DirectoryNode {
  const node = lookup(root, resolveLinks(root, path));
  if (node?.kind !== "directory") {
    throw new ImageError("BAD_ROOT", `The root tree has no /${path.join("/")}.`);
  }
  return node;
}

async function readFrom(root: DirectoryNode, files: FlatFiles, path: string[]): Promise<Buffer> {
  const node = lookup(root, resolveLinks(root, path));
  if (node?.kind !== "file") {
    throw new ImageError("BAD_ROOT", `The root tree has no file /${path.join("/")}.`);
  }
  return files.read(node.flat);
}
