import { basename } from "node:path/posix";
import { ImageError } from "./errors.ts";
import type { DirectoryNode } from "./tree.ts";
import { lookup, resolveLinks } from "./tree.ts";

/** modules.dep(5): each module's file, relative to its version's folder, and the files it needs. */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>;

export function parseModulesDep(text: string): ModuleDependencies {
  const dependencies = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    dependencies.set(
      line.slice(0, colon),
      line
        .slice(colon + 1)
        .split(" ")
        .filter(Boolean),
    );
  }
  return dependencies;
}

/** Name as modprobe(8) takes it: "kernel/net/9p/9pnet.ko.xz" is "9pnet"; "-" and "_" are the same. */
export function moduleName(file: string): string {
  return basename(file)
    .replace(/\.ko(\.(xz|gz|zst))?$/, "")
    .replaceAll("-", "_");
}

/**
 * Files of these modules and of all they need, each after what it needs: the order to load them in. Names that
 * are not in the list are left out: the kernel has them built in, or this flavour has no such module.
 */
export function loadOrder(dependencies: ModuleDependencies, names: readonly string[]): string[] {
  const byName = new Map([...dependencies.keys()].map((file) => [moduleName(file), file]));
  const order = new Set<string>();
  const add = (file: string, above: readonly string[]) => {
    if (order.has(file)) return;
    if (above.includes(file)) {
      throw new ImageError("BAD_ROOT", `modules.dep has a circle at ${file}.`);
    }
    for (const needed of dependencies.get(file) ?? []) add(needed, [...above, file]);
    order.add(file);
  };
  for (const name of names) {
    const file = byName.get(name.replaceAll("-", "_"));
    if (file !== undefined) add(file, []);
  }
  return [...order];
}

/** Lines of a text list such as modules.txt, without comments. */
export function parseList(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** Where a kernel version's modules are in the tree. */
export function modulesPath(root: DirectoryNode, version: string): string[] {
  const path = resolveLinks(root, ["lib", "modules", version]);
  if (lookup(root, path)?.kind !== "directory") {
    throw new ImageError(
      "BAD_ROOT",
      `The root tree has no /lib/modules/${version} for its kernel.`,
    );
  }
  return path;
}
