import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DiskObjects } from "../../../workers/snapshots/disk-objects.ts";
import { SharedBlobs } from "../../../workers/snapshots/shared-blobs.ts";
import { Snapshots } from "../../../workers/snapshots/snapshots.ts";
import { type Lab, succeed } from "../lab.ts";
import type { BenchCase } from "../measure.ts";

/** A typical turn: an interpreter and a small file, another one in each run. */
const turn = (run: number) => `python3 -c 'print(1)'; echo 'result ${run}' >result.txt`;

/** What one turn of a new thread adds to the disk. */
export const snapshotBytes: BenchCase = {
  name: "snapshot-bytes",
  unit: "bytes",
  better: "less",
  async prepare(lab) {
    const ours = await lab.startOurs();
    const stock = await freshStockThreads(lab);
    let ourRuns = 0;
    let stockRuns = 0;
    return {
      async ours() {
        await ours.reset();
        const before = await bytesBelow(lab.folder);
        await succeed(ours, turn(ourRuns++));
        const state = await ours.save();
        return state.data.length + (await bytesBelow(lab.folder)) - before;
      },
      async stock() {
        const machine = await stock();
        await machine.run(turn(stockRuns++));
        await machine.call("save", { name: "turn" });
        return machine.call("compressedBytes", { name: "turn" });
      },
    };
  },
};

/** From the end of a typical turn to a snapshot that outlives a power cut. Stock is written as `save_state` gives it. */
export const commit: BenchCase = {
  name: "commit",
  unit: "ms",
  better: "less",
  async prepare(lab) {
    const ours = await lab.startOurs({ isWarm: true });
    const objects = new DiskObjects(lab.folder);
    const store = new Snapshots(objects, new SharedBlobs(objects));
    const stock = await freshStockThreads(lab);
    let ourRuns = 0;
    let stockRuns = 0;
    return {
      async ours() {
        const name = `thread-${ourRuns++}`;
        await ours.reset();
        await succeed(ours, turn(ourRuns));
        const startMs = performance.now();
        const state = await ours.save();
        await store.save({ ...state, parent: null, owner: "bench", turnId: name }, undefined);
        return performance.now() - startMs;
      },
      async stock() {
        const machine = await stock();
        await machine.run(turn(stockRuns++));
        // The same file each time: a hundred megabytes a run would add up.
        return (await machine.call("saveTo", { path: join(lab.folder, "stock.bin") })).ms;
      },
    };
  },
};

/** A stock machine that goes back to its base for each run. */
async function freshStockThreads(lab: Lab) {
  const machine = await lab.startStock();
  await machine.call("save", { name: "base" });
  return async () => {
    await machine.call("restore", { name: "base" });
    return machine;
  };
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
