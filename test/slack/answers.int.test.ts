import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { until } from "../queue/support.ts";
import { QueueWorld } from "../queue/world.ts";
import { openWorld } from "./support/world.ts";

let queues: QueueWorld;
beforeAll(async () => {
  queues = await QueueWorld.start();
});
afterAll(() => queues.stop());

describe("what Mom says herself", () => {
  test.each(["@mom", "@mom help"])("%s is answered with help in its thread", async (text) => {
    const { you } = await openWorld(queues);
    const message = await you.say("general", text);
    const help = await you.waitForReply(message);
    expect(help.blocks?.[0]).toMatchObject({ type: "header" });
  });

  test.each(["/mom", "/mom help"])("%s is answered with help in private", async (text) => {
    const { you } = await openWorld(queues);
    await you.slash(text);
    const help = await you.waitFor((message) => message.is_ephemeral === true);
    expect(help.blocks?.[0]).toMatchObject({ type: "header" });
  });

  test("in a channel without her, /mom asks in private to be invited", async () => {
    const { you } = await openWorld(queues);
    await you.slash("/mom date", "random");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("/invite");
    expect(hint.channel).toBe(you.channelId("random"));
  });

  test("a message that is about her gets a private hint", async () => {
    const { you, turns } = await openWorld(queues);
    await you.say("general", "thanks @mom");
    await you.waitFor((message) => message.is_ephemeral === true);
    expect(turns).toEqual([]);
  });

  test("stop where nothing runs is told in private", async () => {
    const { you } = await openWorld(queues);
    await you.say("general", "@mom stop");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toBe("Nothing is running here.");
  });

  test("stop takes back a command that still waits", async () => {
    const { you, queue } = await openWorld(queues, { withWorker: false });
    const root = await you.say("general", "@mom sleep inf");
    await until(async () => (await queue.status()).busyThreads === 1);
    await you.reply(root, "@mom stop");
    const told = await you.waitForReply(root);
    expect(told.text).toContain("took back");
    expect((await queue.status()).busyThreads).toBe(0);
  });

  test("a port's address, where the operator has set one, and else what to set", async () => {
    const url = "https://apps.example.org";
    const expose = { listen: { host: "127.0.0.1", port: 8090 }, url };
    const { you, turn } = await openWorld(queues, { expose });
    const root = await you.say("general", "@mom python3 -m http.server &");
    await turn("python3 -m http.server &");
    await you.reply(root, "@mom expose 8000");
    const shown = await you.waitForReply(root, ({ text }) => text.startsWith("Port 8000 "));
    expect(shown.is_ephemeral).toBeUndefined();
    expect(shown.text).toMatch(/<https:\/\/[a-z2-7]{32}\.apps\.example\.org\/>/);
    const without = await openWorld(queues);
    const other = await without.you.say("general", "@mom expose 8000");
    const hint = await without.you.waitForReply(other, ({ is_ephemeral }) => is_ephemeral === true);
    expect(hint.text).toContain("the operator has to set `MOM_EXPOSE_LISTEN`");
    await without.you.slash("/mom expose 8000");
    await without.you.waitFor(({ text }) => text.includes("`expose` in the thread"));
  });

  test("with Redis down a slash command gets a private sentence, and no thread", async () => {
    const own = await QueueWorld.start();
    onTestFinished(() => own.stop());
    const { you } = await openWorld(own);
    await own.redis.kill();
    await you.slash("/mom date");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("try again");
    expect(you.messages("general").filter((message) => !message.is_ephemeral)).toEqual([]);
  });

  test("who is not on the list is told so, and nothing runs", async () => {
    const { you, turns } = await openWorld(queues, { access: { users: new Set(["U0NOBODY"]) } });
    await you.say("general", "@mom date");
    const hint = await you.waitFor((message) => message.is_ephemeral === true);
    expect(hint.text).toContain("not on the list");
    await you.slash("/mom date");
    await until(() => you.messages().filter((message) => message.is_ephemeral).length === 2);
    expect(turns).toEqual([]);
  });
});
