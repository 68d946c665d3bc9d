import { once } from "node:events";
import { request } from "node:http";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ECHO_SERVER } from "../support/echo-server.ts";
import { testGuest } from "../support/guest.ts";
import { type SeenMessage, SlackUser } from "../support/slack-user.ts";
import { type RunningDemo, startDemo } from "./support/demo.ts";

/** Ports that people expose in the demo's Slack, on a real guest, through the demo's proxy. */

const ANSWER_WITHIN_MS = 90_000;

let demo: RunningDemo;
let you: SlackUser;
beforeAll(async () => {
  demo = await startDemo(await testGuest());
  you = await SlackUser.open(demo);
});
afterAll(async () => {
  await you?.close();
  expect(await demo?.stop()).toBe(0);
});

/** Says something in a thread, or in a new one, and waits for how it ended. */
async function run(command: string, root?: SeenMessage): Promise<SeenMessage> {
  const files = command.includes("server.py")
    ? [{ name: "server.py", bytes: Buffer.from(ECHO_SERVER) }]
    : [];
  const said = root
    ? await you.reply(root, `@mom ${command}`, { files })
    : await you.say("general", `@mom ${command}`, { files });
  await you.waitForReply(
    said,
    (message) => Number(message.ts) > Number(said.ts) && /exit \d/.test(JSON.stringify(message)),
    ANSWER_WITHIN_MS,
  );
  return said;
}

/** A thread with the server in the background, and its port's address. */
async function serve(): Promise<{ root: SeenMessage; url: URL }> {
  const root = await run(
    "python3 server.py & until (echo >/dev/tcp/127.0.0.1/8000) 2>&-; do sleep 0.2; done",
  );
  await you.reply(root, "@mom expose 8000");
  const told = await you.waitForReply(root, ({ text }) => text.startsWith("Port 8000 "));
  const [, address = ""] = /<(http:\S+)>/.exec(told.text) ?? [];
  return { root, url: new URL(address) };
}

/** Names below `localhost` are this computer's in browsers; here they go into `Host`. */
function get({ host, port }: URL, path = "/"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers: { host }, agent: false };
    const asked = request(options, (answer) => {
      let body = "";
      answer.on("data", (chunk) => {
        body += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("a server in a thread is reached by its address, sleeps for other threads, and is woken by a request", async () => {
  const { url } = await serve();
  expect(url.hostname).toMatch(/^[a-z2-7]{32}\.localhost$/);
  // The one that waited for it did not ask.
  const first = await get(url);
  expect(first).toEqual({ status: 200, body: expect.stringMatching(/^request \d+ to /) });
  const before = Number(/\d+/.exec(first.body)?.[0]);
  expect(first.body).toBe(`request ${before} to ${url.host}`);
  expect(await get(url, "/nonsense")).toMatchObject({ status: 502 });

  const socket = new WebSocket(`ws://127.0.0.1:${url.port}/`, { headers: { host: url.host } });
  const echoes: string[] = [];
  socket.on("message", (message) => echoes.push(String(message)));
  await once(socket, "open");
  socket.send("hello");
  await expect.poll(() => echoes, { timeout: 20_000 }).toEqual(["echo hello"]);

  const closed = once(socket, "close");
  await run("echo the machine is mine");
  await closed;
  // Its memory is as it was when it went to sleep.
  expect((await get(url)).body).toBe(`request ${before + 1} to ${url.host}`);

  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url.href);
    expect(await page.textContent("body")).toBe(`request ${before + 2} to ${url.host}`);
  } finally {
    await browser.close();
  }
  const unknown = new URL(`http://${"a".repeat(32)}.localhost:${url.port}`);
  expect(await get(unknown)).toEqual({ status: 404, body: "There is nothing at this address.\n" });
});

test("two threads have names of their own, and one that is taken back leads nowhere", async () => {
  const [one, other] = [await serve(), await serve()];
  expect(one.url.hostname).not.toBe(other.url.hostname);
  expect((await get(other.url)).body).toContain(other.url.host);
  expect((await get(one.url)).body).toContain(one.url.host);
  await you.reply(one.root, "@mom expose 8000 off");
  await you.waitForReply(one.root, ({ text }) => text.includes("not exposed any more"));
  expect((await get(one.url)).status).toBe(404);
  expect((await get(other.url)).status).toBe(200);
});
