import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { output, run, sharedMachine } from "./support/machine.ts";

/** The guest's root, as programs use it. What each message means is proved in test/ninep. */

const casesFolder = join(import.meta.dirname, "../ninep/guest-cases");
const cases = readdirSync(casesFolder).filter((name) => name.startsWith("case-"));
let machine: Machine;

beforeAll(async () => {
  machine = await sharedMachine();
  for (const name of [...cases, "run.sh"]) {
    await machine.writeFile(`/root/${name}`, readFileSync(join(casesFolder, name)));
  }
});

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
  const outcome = await run(machine, `cd; bash run.sh /root/scratch ${name}`);
  expect(outcome.out).toMatch(/^1 passed, 0 failed\n$/m);
  expect(outcome.exitCode).toBe(0);
});

test("git makes a repository, clones it and finds nothing wrong with either", async () => {
  await output(
    machine,
    `cd; mkdir -p tree/sub; for i in {1..20}; do echo $i >tree/sub/$i; done; ln -s sub/1 tree/link
    head -c 200K /dev/urandom >tree/big; cd tree; git init -q; git config user.email a@b; git config user.name a
    git add .; git commit -qm one; git gc -q; echo 5 >>sub/9; git commit -qam two
    git clone -q . ../clone; cd ../clone; git fsck --strict`,
  );
  expect(
    await output(
      machine,
      "cd ~/clone; git log --format=%s; git status --short; diff -r -x .git . ../tree; echo $?",
    ),
  ).toBe("two\none\n0\n");
});
