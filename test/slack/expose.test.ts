import { beforeEach, expect, test } from "vitest";
import { type ExposedPort, QueueError } from "../../src/queue/index.ts";
import { answerExpose, type ExposeOptions, type ExposeRequest } from "../../src/slack/expose.ts";

const THREAD = { teamId: "T1", channelId: "C1", threadTs: "1.1" };
const LISTEN = { listen: { host: "127.0.0.1", port: 8090 }, url: "http://localhost:8090" };

/** Names by port. */
let names: Map<number, string>;
let full: QueueError | undefined;
beforeEach(() => {
  names = new Map();
  full = undefined;
});

const queue: ExposeOptions["queue"] = {
  expose: async (_thread, port): Promise<ExposedPort> => {
    if (full) throw full;
    names.set(port, `name${port}`);
    return { port, name: `name${port}` };
  },
  unexpose: async (_thread, port) => names.delete(port),
  exposedPorts: async () => [...names].map(([port, name]) => ({ port, name })),
};
const ask = (request: ExposeRequest, expose: ExposeOptions["expose"] = LISTEN) =>
  answerExpose(request, THREAD, { queue, expose });

test("a port's address is told to all of the thread", async () => {
  const { text, isForAll } = await ask({ kind: "expose", port: 8000 });
  expect(text).toContain("<http://name8000.localhost:8090/>");
  expect(isForAll).toBe(true);
  await ask({ kind: "expose", port: 9000 });
  expect((await ask({ kind: "exposed" })).text).toBe(
    "• port 8000: <http://name8000.localhost:8090/>\n• port 9000: <http://name9000.localhost:8090/>",
  );
});

test("a port is taken back, and one that was not exposed is told in private", async () => {
  await ask({ kind: "expose", port: 8000 });
  expect(await ask({ kind: "unexpose", port: 8000 })).toEqual({
    text: "Port 8000 is not exposed any more.",
    isForAll: true,
  });
  expect(await ask({ kind: "unexpose", port: 8000 })).toMatchObject({ isForAll: false });
  expect(await ask({ kind: "exposed" })).toEqual({
    text: "No port of this thread is exposed: `expose 8000` does it for port 8000.",
    isForAll: false,
  });
});

test("too many ports are told in private, and a queue that is away is not this answer's to tell", async () => {
  full = new QueueError("TOO_MANY_PORTS", "8 ports are exposed already.");
  expect(await ask({ kind: "expose", port: 1 })).toEqual({ text: full.message, isForAll: false });
  full = new QueueError("REDIS_UNREACHABLE", "away");
  await expect(ask({ kind: "expose", port: 1 })).rejects.toBe(full);
});
