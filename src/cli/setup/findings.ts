import { accessSync, constants, existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { findImage } from "../../../images/image.ts";
import { dataDir, type Environment } from "../../config/environment.ts";
import { commandFor, type Need, needsFor } from "./needs.ts";

/** One thing that Mom needs or uses, as it is on this machine. */
export interface Finding {
  what: string;
  ok: boolean;
  /** What is there, or the command that brings it. */
  detail: string;
}

/** An image takes about 350 MB, and 1.5 GB while it is built. */
const wantedBytes = 2_000_000_000;

/** Everything that has to be in place for `mom demo` and `mom test`. Changes nothing. */
export async function findings(env: Environment): Promise<Finding[]> {
  return [
    { what: "Node.js", ok: true, detail: process.version },
    await dataFolder(dataDir(env)),
    ...needsFor(["service", "image", "test"]).map((need) => packageFinding(need, env)),
    await guestImage(dataDir(env)),
  ];
}

async function dataFolder(folder: string): Promise<Finding> {
  const what = "data folder";
  const present = nearestPresent(folder);
  try {
    accessSync(present, constants.W_OK);
  } catch {
    return { what, ok: false, detail: `${folder} cannot be written: set MOM_DATA_DIR` };
  }
  const { bavail, bsize } = await statfs(present);
  const free = bavail * bsize;
  const gigabytes = `${(free / 1e9).toFixed(1)} GB free`;
  if (free >= wantedBytes) return { what, ok: true, detail: `${folder}, ${gigabytes}` };
  return { what, ok: false, detail: `${folder}, only ${gigabytes}: a build needs 2 GB` };
}

function nearestPresent(path: string): string {
  return existsSync(path) ? path : nearestPresent(dirname(path));
}

function packageFinding(need: Need, env: Environment): Finding {
  const ok = need.isThere(env);
  const detail = ok ? "there" : `missing, needed ${need.why}: ${commandFor(need)}`;
  return { what: need.debian, ok, detail };
}

async function guestImage(folder: string): Promise<Finding> {
  const image = await findImage(folder);
  const what = "guest image";
  if (image) {
    const { builtAt, warnings } = image.manifest;
    return {
      what,
      ok: true,
      detail: [`${image.id} of ${builtAt.slice(0, 10)}`, ...warnings].join("; "),
    };
  }
  return { what, ok: false, detail: "not built yet: ./mom image build" };
}
