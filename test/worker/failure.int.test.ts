import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { MachineError } from "../../workers/machine/api.ts";
import { DiskSnapshotStore } from "../../workers/snapshots/disk-store.ts";
import type { SnapshotStore } from "../../workers/snapshots/store.ts";
import { SnapshotError } from "../../workers/snapshots/store.ts";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;
let store: FlakyStore;

/** The real store on disk, which can be told to have no room. */
class FlakyStore implements SnapshotStore {
  readonly disk: DiskSnapshotStore;
  isFull = false;

  constructor(root: string) {
    this.disk = new DiskSnapshotStore(root);
  }

  load(threadKey: string) {
    return this.disk.load(threadKey);
  }

  async save(...args: Parameters<SnapshotStore["save"]>) {
    if (this.isFull)
      throw new SnapshotError("STORE_FULL", "The disk of the computers is full (ENOSPC).");
    await this.disk.save(...args);
  }
}

beforeAll(async () => {
  harness = await Harness.start();
  store = new FlakyStore(join(harness.config.machine.dataDir, "threads"));
  await harness.worker({ store });
});

afterEach(() => {
  harness.slack.faults.clear();
  store.isFull = false;
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

test("a snapshot that was damaged is refused with a sentence, and other threads go on", async () => {
  const root = await harness.root();
  const { entry } = await harness.ask(root, "echo x > state");
  await harness.ask(await harness.root(), "true");
  const path = store.disk.pathOf(entry.turnId.replace(entry.messageTs, root.ts));
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, bytes.length - 100));
  const { messages, entry: failed } = await harness.ask(root, "cat state");
  expect(blockText(messages[0])).toMatch(
    /^⚠ The saved computer of this thread was cut short: .* This thread cannot go on: start a new one\.$/,
  );
  expect(failed.status).toBe("failed");
  const other = await harness.ask(await harness.root(), "echo next");
  expect(blockText(other.messages[0])).toContain("next");
});

test("a sandbox of another base is refused with a sentence", async () => {
  const root = await harness.root();
  const { entry } = await harness.ask(root, "true");
  await harness.ask(await harness.root(), "true");
  const key = entry.turnId.replace(entry.messageTs, root.ts);
  const other = { base: "other", turnId: "earlier", data: new Uint8Array() };
  await store.save(key, other, entry.turnId);
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
