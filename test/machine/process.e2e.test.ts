import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { buildBase } from "../../images/base.ts";
import { hasEmulatorCode } from "../../workers/machine/emulator-code.ts";
import type { Machine } from "../../workers/machine/machine.ts";
import { testGuest } from "../support/guest.ts";
import { output, startMachine, text } from "./support/machine.ts";
import { isAlive } from "./support/process.ts";

/** The process that a machine lives in: what it is given, and every way that it can end. */

let machine: Machine;
afterEach(() => machine?.stop());

/** A machine with a command under way that would not end for long. */
async function busyMachine(options = {}) {
  machine = await startMachine(options);
  const begun = Promise.withResolvers<void>();
  let heard = "";
  const running = machine.exec("echo begun; sleep 1000", {
    onStdout: (chunk) => {
      heard += text(chunk);
      begun.resolve();
    },
  });
  running.catch(() => {});
  await begun.promise;
  expect(heard).toBe("begun\n");
  return { machine, pid: Number(machine.pid), running };
}

/** A machine of the image and the base, with what `damage` does to their copies. */
async function startWith(damage: (folder: { image: string; base: string }) => Promise<void>) {
  const guest = await testGuest();
  const scratch = await mkdtemp(join(tmpdir(), "mom-damaged-"));
  const folder = { image: join(scratch, "image"), base: join(scratch, "base") };
  try {
    await cp(guest.base.dir, folder.base, { recursive: true });
    const skip = join(guest.image.dir, "files");
    await cp(guest.image.dir, folder.image, { recursive: true, filter: (path) => path !== skip });
    await symlink(skip, join(folder.image, "files"));
    await damage(folder);
    const files = { ...folder, blobs: join(scratch, "blobs"), scratch, bases: null };
    machine = await startMachine({ parameters: { files } });
  } finally {
    await rm(scratch, { recursive: true });
  }
}

test("it is given no environment, and confined by Node's permission model", async () => {
  process.env.SLACK_BOT_TOKEN = "xoxb-of-a-test";
  try {
    machine = await startMachine();
  } finally {
    delete process.env.SLACK_BOT_TOKEN;
  }
  const read = (name: string) => readFile(`/proc/${machine.pid}/${name}`, "utf8");
  const names = (await read("environ")).split("\0").map((line) => line.split("=")[0]);
  // Node's own, for the channel to its parent.
  expect(names.filter((name) => !name?.startsWith("NODE_CHANNEL_"))).toEqual([""]);
  expect((await read("cmdline")).split("\0")).toContain("--permission");
  // Not by the guest's commands either.
  expect(
    await output(machine, "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'"),
  ).not.toMatch(/SLACK|NODE_CHANNEL|xoxb/);
});

describe("MACHINE_DIED, at once and for every call, when", () => {
  test("it is killed", async () => {
    const { pid, running } = await busyMachine();
    const waiting = machine.exec("echo next");
    process.kill(pid, "SIGKILL");
    const dead = {
      code: "MACHINE_DIED",
      message: expect.stringMatching(/process ended \(SIGKILL\)/),
    };
    await expect(running).rejects.toMatchObject(dead);
    await expect(waiting).rejects.toMatchObject(dead);
    await expect(machine.save()).rejects.toMatchObject(dead);
    expect(machine.isDead).toBe(true);
  });

  test("it stands still, and then it is killed", async () => {
    const { pid, running } = await busyMachine({ silentAfterMs: 3_000 });
    process.kill(pid, "SIGSTOP");
    await expect(running).rejects.toMatchObject({
      code: "MACHINE_DIED",
      message: "the machine has been silent for 3 s",
    });
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test("it is stopped while a command runs", async () => {
    const { pid, running } = await busyMachine();
    await machine.stop();
    expect(isAlive(pid)).toBe(false);
    await expect(running).rejects.toMatchObject({ code: "MACHINE_DIED" });
    await machine.stop();
  });
});

test("a machine that is busy is not taken for one that stands still", async () => {
  machine = await startMachine({ silentAfterMs: 3_000 });
  expect(
    await output(
      machine,
      "end=$((SECONDS + 5)); while ((SECONDS < end)); do :; done; sleep 4; echo done",
    ),
  ).toBe("done\n");
});

test("a command that comes just when the machine falls asleep is run", async () => {
  const idleAfterMs = 40;
  machine = await startMachine({ parameters: { idleAfterMs } });
  for (let round = 0; round < 30; round++) {
    await output(machine, "true");
    await sleep(idleAfterMs - 2 + (round % 4));
  }
});

test("it ends with its parent, however that ends", async () => {
  const script = join(import.meta.dirname, "support/start-and-wait.ts");
  const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [chunk] = await once(parent.stdout, "data");
  const pid = Number(chunk);
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false);
});

describe("what V8 compiled of the emulator", () => {
  test("is in the base, and a machine starts without it", async () => {
    const { base } = await testGuest();
    expect(await hasEmulatorCode(base.dir)).toBe(true);
    await startWith(async (folder) => {
      const names = (await readdir(folder.base)).filter((name) => name.startsWith("v86-"));
      expect(names).toHaveLength(1);
      await writeFile(join(folder.base, names[0] ?? ""), "not that");
    });
    expect(await output(machine, "echo hi")).toBe("hi\n");
  });

  test("is added to a base that has none, when it is built", async () => {
    const { image, base } = await testGuest();
    const dataDir = await mkdtemp(join(tmpdir(), "mom-data-"));
    try {
      const dir = join(dataDir, "bases", base.id);
      const filter = (path: string) => !basename(path).startsWith("v86-");
      await cp(base.dir, dir, { recursive: true, filter });
      expect(await hasEmulatorCode(dir)).toBe(false);
      const built = await buildBase({ image, dataDir, onProgress: () => {} });
      expect(built).toMatchObject({ dir, reused: true });
      expect(await hasEmulatorCode(dir)).toBe(true);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});

describe("a machine does not start, with one sentence and no process left, when", () => {
  test("its base is cut short", async () => {
    const starting = startWith(({ base }) => truncate(join(base, "state.zst"), 1_000));
    await expect(starting).rejects.toMatchObject({
      code: "BAD_IMAGE",
      message: expect.stringMatching(/state\.zst has 1000 bytes instead of \d+; build it again/),
    });
  });

  test("its base is of a machine with other memory", async () => {
    const starting = startMachine({ parameters: { memoryBytes: 64 << 20 } });
    await expect(starting).rejects.toMatchObject({
      code: "BAD_IMAGE",
      message: expect.stringMatching(/of a machine with \d+ MB of memory, this one has 64 MB/),
    });
  });

  test.each(["fs.json", "kernel", "bios.bin"])("its image has no %s", async (name) => {
    const starting = startWith(({ image }) => rm(join(image, name)));
    await expect(starting).rejects.toMatchObject({
      code: "BAD_IMAGE",
      message: expect.stringContaining(name),
    });
  });
});
