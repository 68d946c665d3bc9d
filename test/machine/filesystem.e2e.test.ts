import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { output, run, startMachine } from "./support/machine.ts";

/** The guest's root, as programs use it. What each message means is proved in test/ninep. */

const MIB = 1 << 20;
const casesFolder = join(import.meta.dirname, "../ninep/guest-cases");
const cases = readdirSync(casesFolder).filter((name) => name.startsWith("case-"));
let machine: Machine;

beforeAll(async () => {
  const quota = { bytes: 256 * MIB, inodes: 50_000 };
  machine = await startMachine({ parameters: { quota } });
  for (const name of [...cases, "run.sh"]) {
    await machine.writeFile(`/root/${name}`, readFileSync(join(casesFolder, name)));
  }
});
afterAll(() => machine.stop());

test("the root is served over 9P2000.L, and what is written is on the host at once", async () => {
  const mounts = (await output(machine, "cat /proc/mounts")).trim().split("\n");
  const root = mounts.find((line) => line.split(" ")[1] === "/")?.split(" ") ?? [];
  expect(root.slice(0, 3)).toEqual(["host9p", "/", "9p"]);
  expect(root[3]?.split(",")).toEqual(
    expect.arrayContaining(["rw", "sync", "dirsync", "loose", "access=client", "trans=virtio"]),
  );
  const turns = mounts.find((line) => line.split(" ")[1] === "/run/mom") ?? "";
  expect(turns).toMatch(/^mom \/run\/mom 9p .*trans=virtio/);
  expect(turns).not.toContain("loose");
});

test.each(cases)("%s", async (name) => {
  const outcome = await run(machine, `cd; bash run.sh /root/scratch ${name}`, {
    timeoutMs: 170_000,
  });
  expect(outcome.out).toMatch(/^1 passed, 0 failed\n$/m);
  expect(outcome.exitCode).toBe(0);
});
