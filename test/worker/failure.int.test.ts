import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { MachineError } from "../../workers/machine/api.ts";
import { DiskObjects } from "../../workers/snapshots/disk-objects.ts";
import { snapshotName } from "../../workers/snapshots/objects.ts";
import { SharedBlobs } from "../../workers/snapshots/shared-blobs.ts";
import { Snapshots } from "../../workers/snapshots/snapshots.ts";
import { type Snapshot, SnapshotError, type SnapshotStore } from "../../workers/snapshots/store.ts";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;
let store: FlakyStore;

/** The real store on disk, which can be told to have no room. */
class FlakyStore implements SnapshotStore {
  readonly disk: DiskObjects;
  readonly #snapshots: Snapshots;
  isFull = false;
  /** Another base than the one that the machine says. */
  base: string | undefined;

  constructor(root: string) {
    this.disk = new DiskObjects(root);
    this.#snapshots = new Snapshots(this.disk, new SharedBlobs(this.disk));
  }

  load(id: string) {
    return this.#snapshots.load(id);
  }

  async save(snapshot: Snapshot, from: Snapshot | undefined) {
    if (this.isFull)
      throw new SnapshotError("STORE_FULL", "The disk of the computers is full (ENOSPC).");
    const base = this.base ?? snapshot.base;
    return this.#snapshots.save({ ...snapshot, base }, from);
  }
}

beforeAll(async () => {
  harness = await Harness.start();
  store = new FlakyStore(harness.config.machine.dataDir);
  await harness.worker({ store });
});

afterEach(() => {
  harness.slack.faults.clear();
  store.isFull = false;
  store.base = undefined;
});
afterAll(() => harness.close());

test.each([
  ["panic", "kernel panic"],
  ["vanish", "its process was killed"],
])(
  "after %s the thread is told once and is as before, and the next thread is served",
  async (command, reason) => {
    const root = await harness.root();
    await harness.ask(root, "echo before > state");
    const { messages, entry } = await harness.ask(
      root,
      `echo partly; echo after > state; ${command}`,
    );
    expect(messages).toHaveLength(1);
    expect(blockText(messages[0])).toBe(
      `\`\`\`\npartly\n\`\`\`\n⚠ The computer crashed while running this (${reason}). The thread is back as it was before this command.`,
    );
    expect(entry).toMatchObject({
      status: "failed",
      attempt: 1,
      error: expect.stringContaining(reason),
    });
    const other = await harness.ask(await harness.root(), "echo next");
    expect(blockText(other.messages[0])).toContain("next");
    const again = await harness.ask(root, "cat state");
    expect(blockText(again.messages[0])).toContain("before");
  },
);

test("a machine that dies with nothing to do is replaced without a word", async () => {
  const root = await harness.root();
  await harness.ask(root, "echo kept > state");
  harness.machines.at(-1)?.die(new MachineError("MACHINE_DIED", "out of memory"));
  const { messages, entry } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toContain("kept");
  expect(entry).toMatchObject({ status: "done", exitCode: 0 });
});

test("a thread's sandbox is not loaded again while the machine is in it", async () => {
  const root = await harness.root();
  await harness.ask(root, "true");
  // Not part of what is saved: it is there only if the machine was left as it was.
  await harness.ask(root, 'sleep 300 & echo "$!" > pid');
  const { messages } = await harness.ask(root, 'kill "$(cat pid)" && echo was there');
  expect(blockText(messages[0])).toContain("was there");
});

test("with the host's disk full the output is shown, the thread is back as it was, and goes on later", async () => {
  const root = await harness.root();
  await harness.ask(root, "echo before > state");
  store.isFull = true;
  const { messages, entry } = await harness.ask(root, "echo after > state; echo done");
  expect(messages).toHaveLength(1);
  expect(blockText(messages[0])).toMatch(
    /^```\ndone\n```\n✓ exit 0 .*\n⚠ The disk of the computers is full \(ENOSPC\)\. The thread is back as it was before this command\.$/,
  );
  expect(entry).toMatchObject({ status: "failed", exitCode: 0 });
  store.isFull = false;
  const again = await harness.ask(root, "cat state");
  expect(blockText(again.messages[0])).toContain("before");
});

test.each([
  ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
  ["altered", (bytes: Buffer) => Buffer.from(bytes).fill(7, 200, 201)],
])(
  "a snapshot that was %s is refused with a sentence, other threads go on, and undo helps",
  async (_how, damage) => {
    const root = await harness.root();
    await harness.ask(root, "echo one > state");
    const { entry } = await harness.ask(root, "echo two > state");
    await harness.ask(await harness.root(), "true");
    const path = store.disk.pathOf(snapshotName(entry.snapshotAfter ?? ""));
    await writeFile(path, damage(await readFile(path)));
    const { messages, entry: failed } = await harness.ask(root, "cat state");
    expect(blockText(messages[0])).toMatch(
      /^⚠ The saved computer of this thread is damaged: .* `undo` goes back to the state before, `reset` to a new computer\.$/,
    );
    expect(failed.status).toBe("failed");
    const other = await harness.ask(await harness.root(), "echo next");
    expect(blockText(other.messages[0])).toContain("next");
    await harness.ask(root, "undo", { step: "undo" });
    const again = await harness.ask(root, "cat state");
    expect(blockText(again.messages[0])).toContain("one");
  },
);

test("a snapshot that is gone is told, and reset gives the thread a new computer", async () => {
  const root = await harness.root();
  const { entry } = await harness.ask(root, "echo one > state");
  await harness.ask(await harness.root(), "true");
  await rm(store.disk.pathOf(snapshotName(entry.snapshotAfter ?? "")));
  const { messages } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toMatch(/^⚠ The saved computer .* is not in the store any more\./);
  await harness.ask(root, "reset", { step: "reset" });
  const again = await harness.ask(root, "ls | wc -l");
  expect(blockText(again.messages[0])).toContain("0");
});

test("a sandbox of another base is refused with a sentence", async () => {
  const root = await harness.root();
  store.base = "other";
  await harness.ask(root, "true");
  await harness.ask(await harness.root(), "true");
  const { messages } = await harness.ask(root, "true");
  expect(blockText(messages[0])).toMatch(/^⚠ The saved computer of this thread cannot be used/);
});

test("a worker whose image is missing does not start, and says what is wrong", async () => {
  const missing = new MachineError("BAD_IMAGE", "no image in /data/images");
  const starting = harness.worker({ startMachine: () => Promise.reject(missing) });
  await expect(starting).rejects.toMatchObject({ code: "BAD_IMAGE" });
});

test("an image that goes missing later is told to the thread, and the worker recovers with it", async () => {
  const gone = await Harness.start();
  let isMissing = false;
  await gone.worker({
    startMachine: () =>
      isMissing
        ? Promise.reject(new MachineError("BAD_IMAGE", "no image in /data/images"))
        : gone.startMachine(),
  });
  const root = await gone.root();
  isMissing = true;
  await gone.ask(root, "panic");
  const { messages } = await gone.ask(root, "echo hi");
  expect(blockText(messages[0])).toMatch(/^⚠ There is no usable image .*`\.\/mom image build`\.$/);
  isMissing = false;
  const again = await gone.ask(root, "echo hi");
  expect(blockText(again.messages[0])).toContain("hi");
  await gone.close();
});

test("without the right to read files the person is told which scope is missing, and nothing runs", async () => {
  const root = await harness.root();
  const { app } = harness.slack.workspace.config;
  const scopes = app.scopes;
  app.scopes = scopes.filter((scope) => scope !== "files:read");
  const { messages, entry } = await harness.ask(root, "echo ran", {
    files: [{ name: "data.csv", bytes: Buffer.from("1,2") }],
  });
  app.scopes = scopes;
  expect(blockText(messages[0])).toBe(
    "⚠ Slack would not give me the file `data.csv`: the app needs the scope `files:read`. The command did not run.",
  );
  expect(entry.status).toBe("failed");
});

test("the bot's token never goes to another host, and the person is told where the file is", async () => {
  const requests: unknown[] = [];
  const stranger = createServer((request, response) => {
    requests.push(request.headers);
    response.end("gotcha");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => stranger.once("listening", resolve));
  const { port } = stranger.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/x`;
  const { messages } = await harness.ask(await harness.root(), "echo ran", {
    attachments: [{ id: "F1", name: "doc", size: 6, url }],
  });
  stranger.close();
  expect(requests).toEqual([]);
  expect(blockText(messages[0])).toContain(`is not kept at Slack but at \`127.0.0.1:${port}\``);
});

test("a file above the limit is refused before it is fetched", async () => {
  const { messages } = await harness.ask(await harness.root(), "echo ran", {
    attachments: [
      { id: "F1", name: "big.iso", size: 1e12, url: `${harness.slack.url}/files-pri/x` },
    ],
  });
  expect(blockText(messages[0])).toContain("The file `big.iso` is larger than I take (100 MB).");
});

test("a result that Slack would not take is kept in the journal and logged", async () => {
  const root = await harness.root();
  harness.slack.faults.add({
    kind: "api-error",
    method: "chat.postMessage",
    error: "is_archived",
    times: 5,
  });
  const { messages, entry } = await harness.ask(root, "echo unseen; exit 4");
  expect(messages).toEqual([]);
  expect(entry).toMatchObject({
    status: "done",
    exitCode: 4,
    error: "The result could not be posted to Slack.",
  });
  expect(harness.logLines.join("")).toContain("Slack did not take a turn's message");
});

test("a full disk of the host, really full, leaves the earlier snapshot", async (context) => {
  const own = await Harness.start();
  const folder = own.config.machine.dataDir;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    await own.close();
    return context.skip("no right to mount a small disk here");
  }
  try {
    await own.worker();
    const root = await own.root();
    await own.ask(root, "echo before > state");
    const { messages } = await own.ask(root, "head -c 3000000 /dev/zero > big; echo after > state");
    expect(blockText(messages[0])).toContain("The disk of the computers is full (ENOSPC).");
    const again = await own.ask(root, "cat state; ls");
    expect(blockText(again.messages[0])).toContain("```\nbefore\nstate\n```");
  } finally {
    execFileSync("umount", [folder]);
    await own.close();
  }
});
