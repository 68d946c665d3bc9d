import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { threadKey } from "../../src/queue/index.ts";
import { blockText } from "../worker/harness.ts";
import { ProxyWorld } from "./world.ts";

/** Threads that sleep and are asked for. A server of this test stands for the programs of all of them. */

const WAKE_WITHIN_MS = 15_000;

let world: ProxyWorld;
let port: number;
beforeEach(async () => {
  world = await ProxyWorld.start({ wakeWithinMs: WAKE_WITHIN_MS });
  const server = createServer((request, response) => {
    if (request.url !== "/ticks") return void response.end("hi");
    const timer = setInterval(() => response.write("tick"), 50);
    response.once("close", () => clearInterval(timer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
});
afterEach(() => world.close());

/** An answer that goes on until the thread sleeps. */
async function ticking(name: string): Promise<{ ticks: () => number; isOver: () => boolean }> {
  const options = { port: world.proxy.port, path: "/ticks", headers: { host: world.host(name) } };
  const asked = get({ ...options, agent: false });
  asked.on("error", () => {});
  onTestFinished(() => void asked.destroy());
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  answer.on("error", () => {});
  return { ticks: () => bytes / 4, isOver: () => answer.destroyed };
}

test("a request wakes a thread, and what its programs do then is part of the turn before", async () => {
  await world.worker(300);
  const root = await world.harness.root();
  const turn = await world.harness.command(
    root,
    "(for i in $(seq 900); do echo $i >> log; sleep 0.1; done) &",
  );
  await world.harness.closed(turn);
  const { name } = await world.harness.queue.expose(turn.thread, port);
  await world.asleep(turn);
  const slept = await world.headOf(turn);
  expect((await world.get(name)).body).toBe("hi");
  await world.harness.ask(await world.harness.root(), "true");
  await world.asleep(turn);
  expect(await world.headOf(turn)).not.toBe(slept);
  expect(await world.harness.queue.journal(turn.thread)).toHaveLength(1);
  const { messages } = await world.harness.ask(root, "wc -l < log");
  expect(blockText(messages[0])).toMatch(/\d+/);
});

test("a command of another thread has the machine at once, and what is open ends", async () => {
  await world.worker();
  const { name, turn } = await world.thread(port);
  const open = await ticking(name);
  await expect.poll(open.ticks).toBeGreaterThan(3);
  await world.harness.ask(await world.harness.root(), "true");
  expect(open.isOver()).toBe(true);
  await world.asleep(turn);
  expect((await world.get(name)).body).toBe("hi");
});

test("the thread's own command leaves open what is open", async () => {
  await world.worker();
  const { name, root } = await world.thread(port);
  const open = await ticking(name);
  await world.harness.ask(root, "sleep 0.5");
  const before = open.ticks();
  await expect.poll(open.ticks).toBeGreaterThan(before + 5);
  // A step of its history runs nothing: the state that is now may be another.
  await world.harness.ask(root, "undo", { step: "undo" });
  await expect.poll(open.isOver).toBe(true);
});

test("a port is reached while the thread's command still runs", async () => {
  await world.worker();
  const root = await world.harness.root();
  const turn = await world.harness.command(root, "sleep 300");
  const { name } = await world.harness.queue.expose(turn.thread, port);
  expect((await world.get(name)).body).toBe("hi");
  await world.harness.queue.stop(turn.thread, "U1");
});

test("a thread goes on for as long as its port is used", async () => {
  await world.worker(1_000);
  const { name, turn } = await world.thread(port);
  const open = await ticking(name);
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  expect(open.isOver()).toBe(false);
  expect(await world.harness.queue.place(threadKey(turn.thread))).toMatchObject({ kind: "awake" });
});

test("two threads and one worker: both are answered, and commands of a third do not wait for them", async () => {
  await world.worker();
  const threads = [await world.thread(port), await world.thread(port)];
  const answered = [0, 0];
  let isOver = false;
  const asking = threads.map(async ({ name }, index) => {
    while (!isOver) {
      const { status } = await world.get(name).catch(() => ({ status: 0 }));
      if (status === 200) answered[index] = (answered[index] ?? 0) + 1;
    }
  });
  const third = await world.harness.root();
  for (let count = 0; count < 5; count++) await world.harness.ask(third, "true");
  await expect.poll(() => Math.min(...answered), { timeout: 30_000 }).toBeGreaterThan(0);
  isOver = true;
  await Promise.all(asking);
});

test("a thread without programs is woken, and it is told that nothing answers", async () => {
  await world.worker();
  const root = await world.harness.root();
  const turn = await world.harness.command(root, "true");
  await world.harness.closed(turn);
  const { name } = await world.harness.queue.expose(turn.thread, port);
  await world.asleep(turn);
  const { status, body } = await world.get(name);
  expect([status, body]).toEqual([502, expect.stringContaining(`answers on port ${port}:`)]);
});

test("a thread in a new computer has nothing to answer, and is not the worse for it", async () => {
  await world.worker();
  const { name, root } = await world.thread(port);
  await world.harness.ask(root, "kill $(cat pid); echo x > file");
  await world.harness.ask(root, "reset", { step: "reset" });
  expect((await world.get(name)).status).toBe(502);
  await world.harness.ask(root, "undo", { step: "undo" });
  const { messages } = await world.harness.ask(root, "cat file");
  expect(blockText(messages[0])).toContain("x");
});

test("a thread whose state is gone is not waited for", async () => {
  await world.worker(0);
  const { name } = await world.thread(port);
  // Another thread is in the machine.
  await world.harness.ask(await world.harness.root(), "true");
  const { dataDir } = world.harness.config.machine;
  await rm(join(dataDir, "snapshots"), { recursive: true });
  const { status, headers, body } = await world.get(name);
  expect([status, body]).toEqual([503, expect.stringContaining("could not be woken")]);
  expect(Number(headers["retry-after"])).toBeGreaterThan(0);
});

test("without a worker a request is told to come again", async () => {
  const running = await world.worker();
  const { name } = await world.thread(port);
  await running.close({ deadlineMs: 1_000 });
  const impatient = await world.otherProxy({ wakeWithinMs: 300 });
  const { status, headers } = await world.get(name, { port: impatient.port });
  expect([status, headers["retry-after"]]).toEqual([503, "10"]);
});

test("with two workers a thread is found on either, and its next command may go to the other", async () => {
  await Promise.all([world.worker(), world.worker()]);
  const { name, root } = await world.thread(port);
  for (let count = 0; count < 4; count++) {
    expect((await world.get(name)).body).toBe("hi");
    // Programs of these machines stay where they were started.
    await world.harness.ask(root, "sleep 300 &");
  }
  expect((await world.get(name)).body).toBe("hi");
});

test("with Redis away a request is told so at once", async () => {
  await world.worker();
  const { name } = await world.thread(port);
  await world.harness.redis.kill();
  expect((await world.get(name)).status).toBe(503);
  await world.harness.redis.restart();
  await expect.poll(async () => (await world.get(name)).status, { timeout: 20_000 }).toBe(200);
});
