import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startParameters } from "../../src/cli/guest.ts";
import { Machine } from "../../workers/machine/machine.ts";
import { testGuest } from "../support/guest.ts";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;

beforeAll(async () => {
  const guest = await testGuest();
  harness = await Harness.start();
  await harness.worker({
    startMachine: () => Machine.start(startParameters(harness.config.machine, guest)),
  });
});

afterAll(() => harness.close());

test("python counts, in a real guest", async () => {
  const { messages } = await harness.ask(await harness.root(), "python3 -c 'print(2**100)'");
  expect(blockText(messages.at(-1))).toContain("1267650600228229401496703205376");
});

test("two threads have a computer each, and find it as they left it", async () => {
  const [one, other] = [await harness.root(), await harness.root()];
  await harness.ask(one, "cd /tmp && echo one > a && x=1");
  await harness.ask(other, "cd /var/tmp && echo other > a && x=2");
  const first = await harness.ask(one, 'cat a; pwd; echo "x=$x"');
  expect(blockText(first.messages[0])).toContain("```\none\n/tmp\nx=1\n```");
  const second = await harness.ask(other, 'cat a; pwd; echo "x=$x"; ls /tmp/a');
  expect(blockText(second.messages[0])).toContain("```\nother\n/var/tmp\nx=2\n```");
  expect(blockText(second.messages[0])).toContain("✗ exit 2");
});

test("files go through the guest byte for byte, and those of an earlier turn are not sent again", async () => {
  const root = await harness.root();
  const bytes = randomBytes(1_000_000);
  const { messages } = await harness.ask(
    root,
    "mkdir -p ~/out && cp data.bin ~/out/ && echo hi > named && attach named",
    { files: [{ name: "data.bin", bytes }] },
  );
  const files = messages.at(-1)?.files ?? [];
  expect(files.map(({ name }) => name).sort()).toEqual(["data.bin", "named"]);
  const back = files.find(({ name }) => name === "data.bin");
  expect(back && Buffer.from(await harness.you.download(back)).equals(bytes)).toBe(true);
  const next = await harness.ask(root, "ls ~/out");
  expect(next.messages.flatMap((message) => message.files ?? [])).toEqual([]);
});

test("a stop ends a running command", async () => {
  const root = await harness.root();
  const turn = await harness.command(root, "echo begun; sleep 100");
  await harness.you.waitForReply(root, (message) => blockText(message).includes("begun"));
  await harness.queue.stop(turn.thread, harness.you.userId);
  expect(await harness.closed(turn)).toMatchObject({ status: "canceled" });
});

test("a guest that panics costs its turn, is told once, and the next thread is served", async () => {
  const root = await harness.root();
  await harness.ask(root, "echo before > state");
  const crashed = await harness.ask(root, "echo after > state; echo c > /proc/sysrq-trigger");
  expect(blockText(crashed.messages[0])).toContain("The computer crashed while running this");
  expect(crashed.messages).toHaveLength(1);
  const other = await harness.ask(await harness.root(), "echo next");
  expect(blockText(other.messages.at(-1))).toContain("next");
  const again = await harness.ask(root, "cat state");
  expect(blockText(again.messages.at(-1))).toContain("before");
});
