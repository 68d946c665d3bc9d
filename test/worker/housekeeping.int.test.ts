import { utimes } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../workers/clock.ts";
import { tidy } from "../../workers/housekeeping.ts";
import { openStore } from "../../workers/open-store.ts";
import { DiskObjects } from "../../workers/snapshots/disk-objects.ts";
import { blobName, snapshotName } from "../../workers/snapshots/objects.ts";
import { compressedBlob } from "../snapshots/support/blobs.ts";
import { blockText, Harness } from "./harness.ts";

const HOUR_MS = 3_600_000;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start();
  await harness.worker();
});
afterAll(() => harness.close());

async function tidyUp(changes: { owner?: string; threadTtlMs?: number } = {}) {
  const { dataDir } = harness.config.machine;
  return tidy({
    queue: harness.queue,
    store: openStore({ kind: "disk" }, dataDir),
    owner: await harness.queue.installation(),
    threadTtlMs: 30 * 24 * HOUR_MS,
    clock: systemClock,
    log: harness.logger,
    ...changes,
  });
}

function disk(): DiskObjects {
  return new DiskObjects(harness.config.machine.dataDir);
}

/** Make all that is stored look as if it had been put two hours ago. */
async function age(): Promise<void> {
  const then = Date.now() / 1_000 - 7_200;
  for (const kind of ["snapshots", "blobs"] as const) {
    for await (const { name } of disk().list(kind)) await utimes(disk().pathOf(name), then, then);
  }
}

test("states that can be undone to, done again or were forked from stay, however old", async () => {
  const root = await harness.root();
  for (const value of [1, 2, 3]) await harness.ask(root, `echo ${value} > state`);
  await harness.ask(root, "fork", { step: "fork" });
  await harness.ask(root, "undo", { step: "undo" });
  await age();
  expect(await tidyUp()).toEqual({ threads: 0, snapshots: 0, blobs: 0, bytes: 0 });
  await harness.ask(root, "redo", { step: "redo" });
  const { messages } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toContain("3");
});

test("what no thread can go to any more is removed when it is old, with the blobs that only it needed", async () => {
  const root = await harness.root();
  await harness.ask(root, "echo kept > state");
  const { entry } = await harness.ask(root, "echo gone > state");
  const lost = compressedBlob("needed by nobody");
  await disk().put(blobName(lost.hash), lost.bytes);
  await harness.ask(root, "undo", { step: "undo" });
  await harness.ask(root, "echo other > state");
  expect(await tidyUp()).toMatchObject({ snapshots: 0, blobs: 0 });
  await age();
  expect(await tidyUp()).toMatchObject({ snapshots: 1, blobs: 1 });
  expect(await disk().find(snapshotName(entry.snapshotAfter ?? ""))).toBeUndefined();
  const { messages } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toContain("other");
});

test("nothing of another installation is removed from a store that both use", async () => {
  const root = await harness.root();
  await harness.ask(root, "echo 1 > state");
  await harness.ask(root, "undo", { step: "undo" });
  await harness.ask(root, "echo 2 > state");
  await age();
  expect(await tidyUp({ owner: "another" })).toMatchObject({ snapshots: 0, blobs: 0 });
  expect(await tidyUp()).toMatchObject({ snapshots: 1 });
});

test("a thread that nobody used for its time is forgotten, and its computer removed", async () => {
  const root = await harness.root();
  const { entry } = await harness.ask(root, "echo old > state");
  const until = Date.now();
  const other = await harness.root();
  await harness.ask(other, "echo new > state");
  await age();
  const removed = await tidyUp({ threadTtlMs: Date.now() - until });
  expect(removed.threads).toBeGreaterThanOrEqual(1);
  expect(await disk().find(snapshotName(entry.snapshotAfter ?? ""))).toBeUndefined();
  const { messages } = await harness.ask(root, "cat state || echo none");
  expect(blockText(messages[0])).toContain("none");
  const kept = await harness.ask(other, "cat state");
  expect(blockText(kept.messages[0])).toContain("new");
});

test("turns that are closed while the store is tidied up, over and over, keep their state", async () => {
  const roots = await Promise.all([harness.root(), harness.root()]);
  for (let i = 0; i < 8; i++) {
    // What is there when tidying begins is old; what comes meanwhile is young.
    await age();
    const asked = roots.map((root) => harness.ask(root, `echo ${i} >> state`));
    await Promise.all([...asked, tidyUp(), tidyUp()]);
  }
  for (const root of roots) {
    const { messages } = await harness.ask(root, "cat state | tr '\\n' ' '");
    expect(blockText(messages[0])).toContain("0 1 2 3 4 5 6 7");
  }
});
