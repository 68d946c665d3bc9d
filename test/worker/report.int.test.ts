import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { blockText, Harness } from "./harness.ts";

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
  await harness.worker();
});

afterEach(() => harness.slack.faults.clear());
afterAll(() => harness.close());

function callsOf(method: string): number[] {
  return harness.slack.api.calls.filter((call) => call.method === method).map(({ atMs }) => atMs);
}

test("a quick command is answered by one message that was never edited", async () => {
  const root = await harness.root();
  const { messages, entry } = await harness.ask(root, "echo hi; pwd");
  expect(messages).toHaveLength(1);
  expect(messages[0]?.edited).toBeUndefined();
  expect(blockText(messages[0])).toMatch(/^```\nhi\n\/.*home\n```\n✓ exit 0 · \d\.\d s$/);
  expect(messages[0]?.text).toMatch(/✓ exit 0 · .*\nhi/);
  expect(entry).toMatchObject({ status: "done", exitCode: 0, attempt: 1 });
});

test("directory, variables and files stay from turn to turn", async () => {
  const root = await harness.root();
  await harness.ask(root, "mkdir work && cd work && x=42 && echo data > file");
  const { messages } = await harness.ask(root, 'echo "$x" "$(cat file)" "$(basename "$PWD")"');
  expect(blockText(messages[0])).toContain("42 data work");
});

test("an exit status is told, and both streams are shown apart", async () => {
  const root = await harness.root();
  const { messages, entry } = await harness.ask(root, "echo out; echo problem >&2; exit 3");
  expect(blockText(messages[0])).toMatch(
    /^```\nout\n```\nstderr\n```\nproblem\n```\n✗ exit 3 · \d\.\d s$/,
  );
  expect(entry).toMatchObject({ status: "done", exitCode: 3 });
});

test("a command without output says so", async () => {
  const { messages } = await harness.ask(await harness.root(), "true");
  expect(blockText(messages[0])).toMatch(/^_\(no output\)_\n✓ exit 0/);
});

test("output cannot mention people, make links, or leave its code block", async () => {
  const command = "echo '<@U1> <!channel> & ```*bold*'";
  const { messages } = await harness.ask(await harness.root(), command);
  const text = blockText(messages[0]);
  expect(text).toContain("&lt;@U1&gt; &lt;!channel&gt; &amp; `\u200b`\u200b`*bold*");
  expect(text.match(/```/g)).toHaveLength(2);
  expect(messages[0]?.text).not.toContain("<!channel>");
});

test("a command of more than a second is shown running, with its output and a button, then edited", async () => {
  const root = await harness.root();
  const command = await harness.command(root, "echo one; sleep 2.5; echo two");
  const running = await harness.you.waitForReply(root);
  expect(blockText(running)).toMatch(/^```\none\n```\n⏳ running · 1 s$/);
  expect(running.blocks?.at(-1)).toMatchObject({
    type: "actions",
    elements: [
      {
        action_id: "stop_turn",
        value: `${command.thread.teamId}-${command.thread.channelId}-${root.ts}`,
      },
    ],
  });
  await harness.closed(command);
  const final = await harness.you.waitForReply(root, ({ text }) => text.startsWith("✓"));
  expect(final.ts).toBe(running.ts);
  expect(blockText(final)).toMatch(/^```\none\ntwo\n```\n✓ exit 0 · 2\.\d s$/);
  expect(JSON.stringify(final.blocks)).not.toContain("stop_turn");
  expect(harness.answers(root)).toHaveLength(1);
});

test("live output is edited in about once a second, however fast it comes", async () => {
  const root = await harness.root();
  const before = callsOf("chat.update").length;
  const { entry } = await harness.ask(root, "for i in $(seq 450); do echo $i; sleep 0.01; done");
  const edits = callsOf("chat.update").slice(before);
  expect(edits.length).toBeGreaterThanOrEqual(2);
  // The first message and the result are apart from the live edits.
  expect(edits.length).toBeLessThanOrEqual(Math.ceil(entry.durationMs / 1_000) + 1);
  const gaps = edits.slice(1, -1).map((atMs, index) => atMs - (edits[index] ?? 0));
  for (const gap of gaps) expect(gap).toBeGreaterThan(900);
});

test("long output shows its first and last lines and is attached whole", async () => {
  const root = await harness.root();
  const { messages } = await harness.ask(root, "seq 20000");
  expect(messages).toHaveLength(2);
  expect(blockText(messages[0])).toMatch(
    /^```\n1\n2\n.*… 19,9\d\d lines not shown …\n.*\n20000\n```/s,
  );
  const file = messages[1]?.files?.[0];
  expect(file?.name).toBe("output.txt");
  const whole = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("");
  expect(Buffer.from(await harness.you.download(file ?? fail())).toString()).toBe(whole);
});

test("binary output is told by its size and attached byte for byte", async () => {
  const { messages } = await harness.ask(await harness.root(), "printf 'a\\0b\\377'");
  expect(blockText(messages[0])).toMatch(/^_\(binary output, 4 bytes\)_\n✓ exit 0/);
  const file = messages[1]?.files?.[0] ?? fail();
  expect(file.name).toBe("output.bin");
  expect([...(await harness.you.download(file))]).toEqual([97, 0, 98, 255]);
});

test("files go in and come out byte for byte, in one message, and once", async () => {
  const root = await harness.root();
  const bytes = randomBytes(2_000_000);
  const { messages } = await harness.ask(
    root,
    "mkdir -p ~/out/sub && cp 'my data.bin' ~/out/copy.bin && sha256sum < 'my data.bin' > ~/out/sub/sum.txt && attach 'my data.bin'",
    { files: [{ name: "my data.bin", bytes }] },
  );
  expect(messages).toHaveLength(2);
  const files = messages[1]?.files ?? [];
  expect(files.map(({ name }) => name)).toEqual(["copy.bin", "sub_sum.txt", "my data.bin"]);
  for (const file of [files[0], files[2]]) {
    expect(Buffer.from(await harness.you.download(file ?? fail())).equals(bytes)).toBe(true);
  }
  const sum = createHash("sha256").update(bytes).digest("hex");
  const told = Buffer.from(await harness.you.download(files[1] ?? fail())).toString();
  expect(told).toBe(`${sum}  -\n`);

  const next = await harness.ask(root, "ls ~/out");
  expect(next.messages).toHaveLength(1);
});

test("files of a message are in the working directory, with names made safe and apart", async () => {
  const root = await harness.root();
  await harness.ask(root, "mkdir deep && cd deep");
  const file = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });
  const { messages } = await harness.ask(root, "cat ./_rf a.csv a-2.csv; pwd", {
    files: [file("-rf", "1"), file("a.csv", "2"), file("a.csv", "3")],
  });
  expect(blockText(messages[0])).toMatch(/```\n123\/.*\/deep\n```/);
});

test("empty and too many files are named in the result, the others are attached", async () => {
  const { messages } = await harness.ask(
    await harness.root(),
    "mkdir ~/out; touch ~/out/empty; for i in $(seq -w 25); do echo $i > ~/out/f$i; done",
  );
  expect(blockText(messages[0])).toContain("Slack takes no empty file: `empty`");
  expect(blockText(messages[0])).toContain("more than 20 files: `f21`, `f22`");
  expect(messages[1]?.files).toHaveLength(20);
});

test("python and JavaScript run from a file, and keep the thread's directory", async () => {
  const root = await harness.root();
  await harness.ask(root, "mkdir py && cd py");
  const python = await harness.ask(
    root,
    "import os\nprint(os.path.basename(os.getcwd()), 2**100)",
    {
      language: "python",
    },
  );
  expect(blockText(python.messages[0])).toContain("py 1267650600228229401496703205376");
  const js = await harness.ask(
    root,
    "import { basename } from 'node:path';\nconsole.log(basename(process.cwd()), await 7)",
    {
      language: "js",
    },
  );
  expect(blockText(js.messages[0])).toContain("py 7");
});

test("a stop ends the command, names the person, and keeps what was printed and done", async () => {
  const root = await harness.root();
  const turn = await harness.command(root, "echo begun; echo x > kept; sleep 30");
  await harness.you.waitForReply(root, (message) => blockText(message).includes("begun"));
  expect(await harness.queue.stop(turn.thread, "U123")).toBe("running");
  expect(await harness.closed(turn)).toMatchObject({ status: "canceled", stoppedBy: "U123" });
  const [message] = harness.answers(root);
  expect(blockText(message)).toMatch(/^```\nbegun\n```\n■ stopped by <@U123> · \d\.\d s$/);
  const { messages } = await harness.ask(root, "cat kept");
  expect(blockText(messages[0])).toContain("x");
});

test("output above the limit is cut, and says so", async () => {
  const { messages, entry } = await harness.ask(await harness.root(), "yes | head -c 50000000");
  expect(blockText(messages[0])).toContain("✂ stopped at 4 MB of output (limit)");
  expect(messages[1]?.files?.[0]).toMatchObject({ name: "output.txt", size: 4 * 1024 * 1024 });
  expect(entry).toMatchObject({ status: "output-limit", outputBytes: 4 * 1024 * 1024 });
});

test.each([
  [
    "chat.postMessage answers 500 twice",
    { kind: "http-status", method: "chat.postMessage", times: 2 },
  ],
  [
    "chat.postMessage says internal_error",
    { kind: "api-error", method: "chat.postMessage", error: "internal_error" },
  ],
  ["chat.postMessage is reset before it is done", { kind: "reset", method: "chat.postMessage" }],
  [
    "chat.postMessage is done and its answer lost",
    { kind: "reset", method: "chat.postMessage", after: true },
  ],
  ["chat.postMessage is limited", { kind: "rate-limit", method: "chat.postMessage" }],
] as const)("when %s, the result is there once", async (_what, fault) => {
  const root = await harness.root();
  harness.slack.faults.add(fault);
  const { messages, entry } = await harness.ask(root, "echo safe");
  expect(messages).toHaveLength(1);
  expect(blockText(messages[0])).toContain("safe");
  expect(entry.error).toBeUndefined();
});

test("at the top level of a direct message the answer and its files stand beside the command", async () => {
  harness.slack.faults.add({ kind: "reset", method: "chat.postMessage", after: true });
  const { message, turn } = await harness.direct("mkdir -p ~/out; echo 1 > ~/out/one; echo hi");
  await harness.closed(turn);
  await harness.you.waitFor(({ files }) => files?.[0]?.name === "one");
  const answers = harness.you
    .messages(message.channel)
    .filter(({ user }) => user === harness.you.appUserId);
  expect(answers).toHaveLength(2);
  expect(blockText(answers[0])).toContain("hi");
  expect(answers.map(({ thread_ts }) => thread_ts)).toEqual([undefined, undefined]);
});

test("edits that are limited are fewer, and the result still comes", async () => {
  const root = await harness.root();
  harness.slack.faults.add({
    kind: "rate-limit",
    method: "chat.update",
    times: 2,
    retryAfterSeconds: 2,
  });
  const { messages } = await harness.ask(root, "for i in 1 2 3 4 5; do echo $i; sleep 0.7; done");
  expect(messages).toHaveLength(1);
  expect(blockText(messages[0])).toMatch(/^```\n1\n2\n3\n4\n5\n```\n✓ exit 0/);
});

test("when Slack refuses the message itself, the status is shown and the reason", async () => {
  const root = await harness.root();
  harness.slack.faults.add({
    kind: "api-error",
    method: "chat.postMessage",
    error: "invalid_blocks",
  });
  const { messages, entry } = await harness.ask(root, "echo hi");
  expect(blockText(messages[0])).toContain("✓ exit 0");
  expect(blockText(messages[0])).toContain("Slack refused it (invalid_blocks)");
  expect(entry).toMatchObject({
    status: "done",
    exitCode: 0,
    error: expect.stringContaining("invalid_blocks"),
  });
});

test("when an upload fails for good, the result names the file", async () => {
  const root = await harness.root();
  harness.slack.faults.add({
    kind: "api-error",
    method: "files.getUploadURLExternal",
    error: "missing_scope",
  });
  const { messages } = await harness.ask(
    root,
    "mkdir ~/out; echo 1 > ~/out/one; echo 2 > ~/out/two",
  );
  expect(blockText(messages[0])).toContain("Not attached: `one` (missing_scope)");
  expect(messages[1]?.files?.map(({ name }) => name)).toEqual(["two"]);
});

test("an upload that fails for a moment is tried again", async () => {
  const root = await harness.root();
  harness.slack.faults.add({ kind: "http-status", method: "files.getUploadURLExternal" });
  harness.slack.faults.add({ kind: "rate-limit", method: "files.completeUploadExternal" });
  const { messages } = await harness.ask(root, "mkdir ~/out; echo 1 > ~/out/one");
  expect(messages[1]?.files?.map(({ name }) => name)).toEqual(["one"]);
});

test("the log has the turn, its thread and its worker, and never output or the token", async () => {
  const { entry } = await harness.ask(await harness.root(), "echo very-secret-output");
  const log = harness.logLines.join("");
  const over = harness.logLines
    .map((line) => JSON.parse(line))
    .find((line) => line.turn === entry.turnId && line.msg === "turn is over");
  expect(over).toMatchObject({
    worker: expect.any(String),
    thread: expect.any(String),
    exitCode: 0,
  });
  expect(log).not.toContain("very-secret-output");
  expect(log).not.toContain(harness.config.slack.botToken);
});

function fail(): never {
  throw new Error("there is no such file");
}
