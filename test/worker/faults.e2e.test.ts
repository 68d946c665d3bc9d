import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import type { JournalEntry } from "../../src/queue/index.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { openStore } from "../../workers/open-store.ts";
import { DiskObjects } from "../../workers/snapshots/disk-objects.ts";
import { blobName } from "../../workers/snapshots/objects.ts";
import { startS3 } from "../snapshots/support/s3.ts";
import { withOneBitFlipped } from "../support/flipped-bit.ts";
import { testGuest } from "../support/guest.ts";
import type { SeenMessage } from "../support/slack-user.ts";
import { blockText, Harness } from "./harness.ts";

/** A worker with a real machine, and what goes wrong around it. */

const SLOW_MS = 120_000;

let harness: Harness;
let baseFolder: string;
let machine: Machine;

beforeAll(async () => {
  const guest = await testGuest();
  harness = await Harness.start();
  baseFolder = join(await mkdtemp(join(tmpdir(), "mom-faults-")), "base");
  await cp(guest.base.dir, baseFolder, { recursive: true });
  const { files, ...rest } = startParameters(harness.config.machine, guest);
  await harness.worker({
    startMachine: async () => {
      machine = await Machine.start({ ...rest, files: { ...files, base: baseFolder } });
      return machine;
    },
    timing: {},
  });
});

afterAll(async () => {
  await harness.close();
  await rm(join(baseFolder, ".."), { recursive: true, force: true });
});

async function ask(root: SeenMessage, command: string, changes = {}) {
  const entry = await harness.closed(await harness.command(root, command, changes), SLOW_MS);
  await harness.you.say("general", "(still here)");
  return { text: blockText(harness.answers(root).at(-1)), entry };
}

/** Where the blobs stand that the thread's newest state needs and the one before does not. */
async function newBlobs({ snapshotBefore, snapshotAfter }: JournalEntry): Promise<string[]> {
  const { dataDir } = harness.config.machine;
  const { snapshots } = openStore({ kind: "disk" }, dataDir);
  const before = new Set((await snapshots.load(snapshotBefore ?? "")).blobs);
  const { blobs } = await snapshots.load(snapshotAfter ?? "");
  const disk = new DiskObjects(dataDir);
  return blobs.filter((hash) => !before.has(hash)).map((hash) => disk.pathOf(blobName(hash)));
}

test.each([
  ["missing", /is not in the store any more/, (path: string) => rm(path)],
  [
    "bit-flipped",
    /cannot be used \(a part of the saved state is (missing or )?damaged\)/,
    async (path: string) => writeFile(path, withOneBitFlipped(await readFile(path))),
  ],
])(
  "with a blob %s the thread is told, undo leads to the state before, and others go on",
  {
    timeout: 4 * SLOW_MS,
  },
  async (_fault, sentence, damage) => {
    const root = await harness.root();
    await ask(root, "echo one >state; x=1");
    const { entry } = await ask(root, "echo two >state; x=2");
    const other = await harness.root();
    await ask(other, "y=kept");
    for (const path of await newBlobs(entry)) await damage(path);

    const refused = await ask(root, "cat state");
    expect(refused.text).toMatch(sentence);
    expect(refused.text).toContain("`undo` goes back to the state before");
    expect(refused.entry.status).toBe("failed");
    expect((await ask(other, "echo $y")).text).toContain("kept");
    await ask(root, "undo", { step: "undo" });
    expect((await ask(root, "cat state; echo x=$x")).text).toContain("one\nx=1");
  },
);

/** And wait until its parent knows: a turn that comes before would be told of a crash. */
async function killMachine(): Promise<void> {
  const killed = machine;
  process.kill(killed.pid ?? expect.fail("no process"), "SIGKILL");
  await expect.poll(() => killed.isDead).toBe(true);
}

test("a machine killed in a turn and between turns costs that turn at most", {
  timeout: 4 * SLOW_MS,
}, async () => {
  const root = await harness.root();
  await ask(root, "echo 1 >>log");
  const running = await harness.command(root, "echo 2 >>log; echo begun; sleep 100");
  await harness.you.waitForReply(root, (message) => blockText(message).includes("begun"), SLOW_MS);
  await killMachine();
  expect((await harness.closed(running, SLOW_MS)).status).toBe("failed");
  expect(blockText(harness.answers(root).at(-1))).toContain("back as it was before this command");
  expect((await ask(root, "echo 3 >>log; paste -sd, log")).text).toContain("1,3");
  await killMachine();
  expect((await ask(root, "echo 4 >>log; paste -sd, log")).text).toContain("1,3,4");
});

test("with the base deleted what runs goes on, a new machine says what is missing, and nothing is lost", {
  timeout: 4 * SLOW_MS,
}, async () => {
  const root = await harness.root();
  await ask(root, "echo kept >state");
  await rename(baseFolder, `${baseFolder}-away`);
  await ask(await harness.root(), "true");
  expect((await ask(root, "cat state")).text).toContain("kept");
  await killMachine();
  const refused = await ask(root, "cat state");
  expect(refused.text).toMatch(/There is no usable image .*mom image build/);
  await rename(`${baseFolder}-away`, baseFolder);
  expect((await ask(root, "cat state")).text).toContain("kept");
});

test("workers that share a bucket alone go on with each other's threads", {
  timeout: 4 * SLOW_MS,
}, async () => {
  const s3 = await startS3();
  const own = await Harness.start();
  const folders: string[] = [];
  try {
    const store = { kind: "s3" as const, ...(await s3.bucket()) };
    const guest = await testGuest();
    const root = await own.root();
    for (const [index, expected] of ["1", "2", "3"].entries()) {
      const dataDir = await mkdtemp(join(tmpdir(), "mom-faults-s3-"));
      folders.push(dataDir);
      const config = { ...own.config.machine, dataDir };
      const worker = await own.worker({
        config: { ...own.config, machine: config, store, workerId: `host-${index}` },
        startMachine: () => Machine.start(startParameters(config, guest)),
        timing: {},
      });
      const turn = await own.command(root, "n=$((n + 1)); echo line >>log; wc -l <log; echo n=$n");
      expect(await own.closed(turn, SLOW_MS)).toMatchObject({
        workerId: `host-${index}`,
        exitCode: 0,
      });
      await own.you.say("general", "(still here)");
      expect(blockText(own.answers(root).at(-1))).toContain(`${expected}\nn=${expected}`);
      await worker.close({ deadlineMs: 1_000 });
    }
  } finally {
    await own.close();
    await s3.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }
});
