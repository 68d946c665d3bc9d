import { afterAll, beforeAll, expect, test } from "vitest";
import { ownAddresses } from "../support/own-addresses.ts";
import { World } from "./support/world.ts";

/** Commands that do their worst: each ends in one clear message, and the worker serves the next thread. */
let world: World;

beforeAll(async () => {
  world = await World.start({ workers: 1 });
});

afterAll(() => world?.close());

async function nextThreadIsServed(): Promise<void> {
  expect(await world.answer(await world.say("echo next"))).toMatch(/^```\nnext\n```\n✓ exit 0/);
}

test("a program that fills memory is killed, which is said, and its thread goes on", async () => {
  const root = await world.say(
    `echo kept > file; python3 -c "a = [bytearray(1 << 22) for _ in range(1000)]"`,
  );
  expect(await world.answer(root)).toContain("✗ killed by SIGKILL, out of memory?");
  await world.reply(root, "cat file");
  const answers = await world.answers(root, 2);
  expect(answers).toHaveLength(2);
  expect(answers[1]).toContain("kept");
  await nextThreadIsServed();
});

test("a fork bomb is stopped, and its thread goes on", async () => {
  const root = await world.say("echo kept > file; :(){ :|:& };: ; sleep 1000");
  const running = await world.you.waitForReply(
    root,
    ({ text }) => text.includes("running"),
    60_000,
  );
  await world.you.click(running, "Stop");
  expect(await world.answer(root)).toContain("■ stopped by");
  // Hundreds that were killed take a moment to end.
  const gone = 'until [ "$(ps ax | wc -l)" -lt 100 ]; do sleep 0.2; done';
  await world.reply(root, `${gone}; cat file; ps ax | wc -l`);
  const answers = await world.answers(root, 2);
  expect(answers).toHaveLength(2);
  expect(answers[1]).toMatch(/^```\nkept\n\d{1,2}\n```\n✓ exit 0/);
  await nextThreadIsServed();
});

test("a fork bomb that is left running keeps neither its thread nor others from going on", async () => {
  const root = await world.say("echo kept > file; :(){ :|:& };:");
  expect(await world.answer(root)).toMatch(/[✓✗] exit/);
  await world.reply(root, "cat file; echo $((6 * 7))");
  const answers = await world.answers(root, 2);
  expect(answers).toHaveLength(2);
  expect(answers[1]).toMatch(/^```\nkept\n42\n```\n✓ exit 0/);
  await nextThreadIsServed();
});

test("a guest that panics costs its turn, is told in one message, and its thread goes on", async () => {
  const root = await world.say("echo kept > file");
  await world.answer(root);
  await world.reply(root, "echo lost > file; echo c > /proc/sysrq-trigger");
  await world.reply(root, "cat file");
  const answers = await world.answers(root, 3);
  expect(answers).toHaveLength(3);
  expect(answers[1]).toMatch(
    /^⚠ The computer crashed while running this \(the guest's kernel panicked.*\)\. The thread is back as it was before this command\.$/,
  );
  expect(answers[2]).toContain("kept");
  await nextThreadIsServed();
});

test("a guest whose power is switched off is told in one message, and its thread goes on", async () => {
  const root = await world.say("echo kept > file");
  await world.answer(root);
  await world.reply(root, "echo o > /proc/sysrq-trigger; sleep 1000");
  await world.reply(root, "cat file");
  const answers = await world.answers(root, 3);
  expect(answers).toHaveLength(3);
  expect(answers[1]).toMatch(/^⚠ The computer crashed while running this/);
  expect(answers[2]).toContain("kept");
  await nextThreadIsServed();
});

test("a disk that is full up to its quota is said, and its thread goes on once there is room", async () => {
  const { diskQuotaMb } = world.harness.config.machine;
  // Linux writes behind the program's back: it may have ended well.
  const root = await world.say(
    `echo kept > file; dd if=/dev/zero of=big bs=1M count=${diskQuotaMb + 4}; sync`,
  );
  expect(await world.answer(root)).toContain("mom: No space left on the disk");
  await world.reply(root, "rm big; sync; cat file; echo room > other; sync; cat other");
  const answers = await world.answers(root, 2);
  expect(answers[1]).toMatch(/^```\nkept\nroom\n```\n✓ exit 0/);
  await nextThreadIsServed();
});

test("a shell that is killed, replaced or closed is back for the next command", async () => {
  const root = await world.say("kill -9 $$");
  expect(await world.answer(root)).toContain("✗ killed by SIGKILL");
  await world.reply(root, "exec sh -c 'exit 5'");
  await world.reply(root, "exit 6");
  await world.reply(root, "echo here");
  const answers = await world.answers(root, 4);
  expect(answers[1]).toContain("✗ exit 5");
  expect(answers[2]).toContain("✗ exit 6");
  expect(answers[3]).toMatch(/^```\nhere\n```\n✓ exit 0/);
});

test("a guest finds neither Redis nor Slack of the computer that it runs on", async () => {
  const [own = "10.0.2.2"] = ownAddresses();
  const hosts = ["127.0.0.1", "10.0.2.2", own];
  const { redis, slack } = world.harness;
  const ports = [redis.url, slack.apiUrl].map((url) => new URL(url).port);
  const targets = hosts.flatMap((host) => ports.map((port) => `${host}/${port}`));
  // The name server, which is open.
  const knock = `for target in ${targets.join(" ")} 10.0.2.3/53; do
    if (exec 3<>/dev/tcp/$target) 2>/dev/null; then echo open; else echo closed; fi; done | uniq -c`;
  // The worker has both all the while, or there would be no answer.
  expect(await world.answer(await world.say(knock))).toMatch(
    /^```\n *6 closed\n *1 open\n```\n✓ exit 0/,
  );
});
