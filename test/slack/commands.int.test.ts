import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { threadKey } from "../../src/queue/index.ts";
import { STOP_ACTION } from "../../src/slack/index.ts";
import { prefix, until } from "../queue/support.ts";
import { QueueWorld } from "../queue/world.ts";
import { openWorld } from "./support/world.ts";

let queues: QueueWorld;
beforeAll(async () => {
  queues = await QueueWorld.start();
});
afterAll(() => queues.stop());

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("/mom COMMAND starts a thread with the command as its first message", async () => {
    const { you, turn } = await openWorld(queues, { transport });
    await you.slash("/mom python3 -c 'print(2**100)'");
    const ran = await turn("python3 -c 'print(2**100)'");
    const root = await you.waitFor((message) => message.ts === ran.thread.threadTs);
    expect(root.user).toBe(you.appUserId);
    expect(root.text).toBe(`<@${you.userId}>: python3 -c 'print(2**100)'`);
    expect(ran).toMatchObject({ userId: you.userId, messageTs: root.ts, language: "bash" });
  });

  test("@mom COMMAND starts a thread; mentions in it go on there; other replies are left alone", async () => {
    const { you, turn, turns } = await openWorld(queues, { transport });
    const root = await you.say("general", "@mom cd /tmp && pwd");
    const first = await turn("cd /tmp && pwd");
    expect(first.thread.threadTs).toBe(root.ts);
    expect(first.messageTs).toBe(root.ts);
    await you.reply(root, "what does that do?");
    const reply = await you.reply(root, "@mom ls > “a b” —all");
    const second = await turn('ls > "a b" --all');
    expect(threadKey(second.thread)).toBe(threadKey(first.thread));
    expect(second.messageTs).toBe(reply.ts);
    await sleep(200);
    expect(turns).toHaveLength(2);
  });

  test("the Stop button stops its thread", async () => {
    const { you, slack, queue } = await openWorld(queues, { transport, withWorker: false });
    const root = await you.say("general", "@mom sleep inf");
    await until(async () => (await queue.status()).busyThreads === 1);
    const { team, app } = slack.workspace.config;
    const thread = { teamId: team.id, channelId: root.channel, threadTs: root.ts };
    await fetch(`${slack.apiUrl}chat.postMessage`, {
      method: "POST",
      headers: { Authorization: `Bearer ${app.botToken}`, "Content-Type": "application/json" },
      body: JSON.stringify({
        channel: root.channel,
        thread_ts: root.ts,
        text: "running",
        blocks: [
          {
            type: "actions",
            elements: [
              {
                type: "button",
                action_id: STOP_ACTION,
                text: { type: "plain_text", text: "Stop" },
                value: threadKey(thread),
              },
            ],
          },
        ],
      }),
    });
    const running = await you.waitForReply(root, (message) => message.text === "running");
    await you.click(running, "Stop");
    await until(async () => (await queue.status()).busyThreads === 0);
    expect(await queue.journal(thread)).toMatchObject([
      { status: "canceled", stoppedBy: you.userId },
    ]);
  });

  test("an event that could not be queued is not acknowledged, and runs when Slack tries again", async () => {
    const own = await QueueWorld.start();
    onTestFinished(() => own.stop());
    const name = prefix();
    const retryDelaysMs = [300, 2_000, 4_000];
    const world = await openWorld(own, { transport, name, retryDelaysMs });
    await own.redis.kill();
    await world.you.say("general", "@mom date");
    await sleep(1_000);
    expect(world.turns).toEqual([]);
    await own.redis.restart();
    await world.turn("date");
    await sleep(500);
    expect(world.turns).toHaveLength(1);
  });
});

describe("one message is one turn", () => {
  test("that arrives as message and as app_mention", async () => {
    const events = ["app_mention", "message.channels", "message.im"];
    const { you, turn, turns } = await openWorld(queues, { events });
    await you.say("general", "@mom date");
    await turn("date");
    await sleep(300);
    expect(turns).toHaveLength(1);
  });

  test("that is delivered twice, as a retry and under a new id", async () => {
    const { you, turn, turns, slack } = await openWorld(queues);
    slack.faults.add({ kind: "duplicate-event" });
    slack.faults.add({ kind: "duplicate-event", newEventId: true });
    await you.say("general", "@mom one");
    await you.say("general", "@mom two");
    await turn("one");
    await turn("two");
    await sleep(300);
    expect(turns).toHaveLength(2);
  });

  test("whose acknowledgement was lost", async () => {
    const { you, turn, turns, slack } = await openWorld(queues);
    slack.faults.add({ kind: "lose-ack" });
    await you.say("general", "@mom date");
    await turn("date");
    await sleep(4_000);
    expect(turns).toHaveLength(1);
  });

  test("that is edited afterwards", async () => {
    const events = ["app_mention", "message.channels", "message.im"];
    const { you, turn, turns } = await openWorld(queues, { events });
    const message = await you.say("general", "@mom date");
    await turn("date");
    await you.edit(message, "@mom date -u");
    await sleep(300);
    expect(turns).toHaveLength(1);
  });
});

describe("in a direct message", () => {
  test("every message is a command, and all of them go to one sandbox", async () => {
    const { you, turn } = await openWorld(queues);
    await you.dm("cd /tmp");
    await you.dm("pwd");
    const [first, second] = [await turn("cd /tmp"), await turn("pwd")];
    expect(first.thread.threadTs).toBe("dm");
    expect(threadKey(second.thread)).toBe(threadKey(first.thread));
  });

  test("a thread is a sandbox of its own", async () => {
    const { you, turn } = await openWorld(queues);
    const root = await you.dm("first");
    await you.reply(root, "second");
    expect((await turn("second")).thread.threadTs).toBe(root.ts);
  });

  test("help is shown at the top level", async () => {
    const { you, turns } = await openWorld(queues);
    await you.dm("help");
    const help = await you.waitFor((message) => message.text.includes("its own Linux computer"));
    expect(help.thread_ts).toBeUndefined();
    expect(turns).toEqual([]);
  });
});

describe("files", () => {
  test("go with the command", async () => {
    const { you, turn } = await openWorld(queues);
    const bytes = new TextEncoder().encode("a,b\n1,2\n");
    await you.say("general", "@mom cat data.csv", { files: [{ name: "data.csv", bytes }] });
    const { attachments } = await turn("cat data.csv");
    expect(attachments).toMatchObject([{ name: "data.csv", size: bytes.length }]);
    expect(attachments[0]?.url).toMatch(/^http/);
  });

  test("without a command are put into the sandbox and listed", async () => {
    const { you, turn } = await openWorld(queues);
    await you.dm("", { files: [{ name: "a.bin", bytes: new Uint8Array(3) }] });
    expect((await turn("ls -l")).attachments).toMatchObject([{ name: "a.bin" }]);
  });
});

test("a mention inside a command becomes the person's name", async () => {
  const { you, turn } = await openWorld(queues);
  await you.say("general", "@mom git log --author=x @ada");
  await turn("git log --author=x @ada");
});

test("a fenced block runs in its language", async () => {
  const { you, turn } = await openWorld(queues);
  await you.say("general", "@mom try this:\n```python\nif 1 < 2 and True:\n  print('a')\n```");
  const ran = await turn("if 1 < 2 and True:\n  print('a')");
  expect(ran.language).toBe("python");
});
