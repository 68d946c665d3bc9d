import { z } from "zod";

const part = z.object({ size: z.number().int().nonnegative(), sha256: z.string().length(64) });

/** `manifest.json`: what an image is made of, what went into it and how a machine is started from it. */
export const manifestSchema = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Hash of the recipe: together with the root tarball, if any, it is not built again. */
  recipe: z.string().length(64),
  builtAt: z.iso.datetime(),
  kernelVersion: z.string(),
  machine: z.object({
    cmdline: z.string(),
    memoryBytes: z.number().int().positive(),
    vgaMemoryBytes: z.number().int().positive(),
    rootFlags: z.string(),
  }),
  parts: z.object({
    kernel: part,
    initramfs: part,
    "bios.bin": part,
    "vgabios.bin": part,
    "fs.json": part,
  }),
  files: z.object({
    /** Flat files: different contents, not names. */
    count: z.number().int().nonnegative(),
    bytes: z.number().int().nonnegative(),
    /** Size and full hash of each, by name. */
    index: z.record(z.string(), part),
  }),
  inputs: z.object({
    builder: z.number().int(),
    suite: z.string(),
    /** "NAME VERSION ARCHITECTURE", sorted; empty for a tree from a tarball. */
    packages: z.array(z.string()),
    /** sources.list of the build. */
    sources: z.array(z.string()),
    rootfsSha256: z.string().nullable(),
    npm: z.string().nullable(),
    modules: z.array(z.string()),
    /** Our own files, by path below `images/`. */
    recipeFiles: z.record(z.string(), z.string()),
  }),
  warnings: z.array(z.string()),
  durationsMs: z.record(z.string(), z.number()),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type PartName = keyof Manifest["parts"];
