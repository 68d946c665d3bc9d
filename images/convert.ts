import { ImageError } from "./errors.ts";
import type { FlatFiles } from "./flat-files.ts";
import { readTar, splitPath, type TarEntry } from "./tar.ts";
import { type DirectoryNode, emptyRoot, insert, lookup, type Node } from "./tree.ts";

/**
 * A tar stream as a root tree: names into memory, bytes straight into flat files. Nothing is unpacked on the
 * host, so no name, link or device of the archive ever means anything here.
 */
export async function treeFromTar(
  source: AsyncIterable<Uint8Array>,
  files: FlatFiles,
  isExcluded: (path: string) => boolean = () => false,
): Promise<DirectoryNode> {
  const root = emptyRoot();
  for await (const entry of readTar(source)) {
    if (isExcluded(`/${entry.path.join("/")}`)) continue;
    insert(root, entry.path, await nodeFor(entry, root, files));
  }
  return root;
}

async function nodeFor(entry: TarEntry, root: DirectoryNode, files: FlatFiles): Promise<Node> {
  const { mode, uid, gid, mtime } = entry;
  const attributes = { mode, uid, gid, mtime };
  switch (entry.type) {
    case "file":
      return { kind: "file", ...attributes, ...(await files.addStream(entry.body, entry.size)) };
    case "directory":
      return { kind: "directory", ...attributes, children: new Map() };
    case "symlink":
      return { kind: "symlink", ...attributes, target: entry.link };
    case "fifo":
      return { kind: "fifo", ...attributes };
    case "char":
    case "block":
      return { kind: entry.type, ...attributes, ...entry.device };
    case "hardlink": {
      const target = lookup(root, splitPath(entry.link));
      if (target === undefined || target.kind === "directory") {
        throw new ImageError(
          "BAD_ARCHIVE",
          `The archive links /${entry.path.join("/")} to ${entry.link}, which is not in it before.`,
        );
      }
      return { ...target };
    }
  }
}

/**
 * Globs as dpkg's path-exclude has them: `*` and `?` cross slashes, the whole path must match.
 *
 * @example matcher(["/usr/share/doc/*"])("/usr/share/doc/bash/copyright") // true
 */
export function matcher(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map((glob) =>
    glob
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", "."),
  );
  if (patterns.length === 0) return () => false;
  const expression = new RegExp(`^(?:${patterns.join("|")})$`, "s");
  return (path) => expression.test(path);
}
