import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Host, nodeHost, Policy } from "../../relay/index.ts";
import {
  type RelayServer,
  type ServeEvent,
  type ServeOptions,
  serveRelay,
} from "../../relay/serve.ts";
import { FLAG, GATEWAY, hex, icmpFrame, readIcmp, tcpFrame } from "./support/frames.ts";

let server: RelayServer | undefined;
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await server?.close();
});

const host = nodeHost({ resolve: async () => ({ status: "failed", records: [] }) });

async function start(options: Partial<ServeOptions> = {}): Promise<RelayServer> {
  server = await serveRelay({ host, relay: { policy: Policy.none() }, ...options });
  return server;
}

function join({ port }: RelayServer, path = "/", origin?: string): Promise<WebSocket> {
  const client = new WebSocket(
    `ws://127.0.0.1:${port}${path}`,
    origin === undefined ? {} : { origin },
  );
  clients.push(client);
  return new Promise((resolve, reject) => {
    client.on("open", () => resolve(client));
    client.on("error", reject);
  });
}

function next(client: WebSocket): Promise<Buffer> {
  return new Promise((resolve) => client.once("message", (data: Buffer) => resolve(data)));
}

const ping = icmpFrame(GATEWAY, 8, 0, hex("1234 0001", Buffer.from("hello")));

test("each client has a network of its own", async () => {
  const running = await start();
  const [one, two] = [await join(running), await join(running)];
  let strays = 0;
  two.on("message", () => strays++);
  one.send(ping);
  expect(readIcmp(await next(one)).type).toBe(0);
  expect(running.clientCount).toBe(2);
  expect(strays).toBe(0);
});

test("text, frames that are too long and broken frames do not hurt the others", async () => {
  const running = await start();
  const [bad, good] = [await join(running), await join(running)];
  bad.on("error", () => {});
  bad.send("hello");
  bad.send(Buffer.alloc(3));
  bad.send(Buffer.alloc(100_000));
  await new Promise((resolve) => bad.once("close", resolve));
  good.send(ping);
  expect(readIcmp(await next(good)).type).toBe(0);
});

test("without the token nobody joins", async () => {
  const running = await start({ token: "s3cret" });
  await expect(join(running)).rejects.toThrow("401");
  await expect(join(running, "/?token=wrong")).rejects.toThrow("401");
  await join(running, "/?token=s3cret");
});

test("a web page joins only when its origin is listed", async () => {
  const running = await start({ origins: ["https://good.example"] });
  await expect(join(running, "/", "https://evil.example")).rejects.toThrow("403");
  await join(running, "/", "https://good.example");
  await join(running);
});

test("more clients than allowed are refused, and a place that is left is free again", async () => {
  const running = await start({ maxClients: 1 });
  const first = await join(running);
  await expect(join(running)).rejects.toThrow("503");
  first.close();
  await new Promise((resolve) => first.once("close", resolve));
  while (running.clientCount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await join(running);
});

/** What somebody who speaks no WebSocket gets. */
async function request({ port }: RelayServer, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  let answer = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    answer += chunk;
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

test.each(["/", "//", "http://[", "/%", "/?token=%ff%", "*"])(
  "a request for %j is answered, and the server goes on",
  async (path) => {
    const running = await start({ token: "s3cret" });
    const upgrade =
      "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    expect(await request(running, `GET ${path} HTTP/1.1\r\n${upgrade}\r\n`)).toMatch(
      /^HTTP\/1.1 4\d\d /,
    );
    await join(running, "/?token=s3cret");
  },
);

test("a client that answers no ping loses its place, one that does keeps it", async () => {
  const due: (() => void)[] = [];
  const pinging: Host = {
    ...host,
    setTimer: (delayMs, callback) => {
      if (delayMs < 10_000) return host.setTimer(delayMs, callback);
      due.push(callback);
      return () => {};
    },
  };
  const running = await start({ host: pinging });
  const [alive, dead] = [await join(running), await join(running)];
  dead.pong = () => {};
  const ended = new Promise((resolve) => dead.once("close", resolve));
  for (let round = 0; round < 2; round++) {
    const pinged = round === 0 ? new Promise((resolve) => alive.once("ping", resolve)) : undefined;
    for (const ask of due.splice(0)) ask();
    await pinged;
    alive.send(ping);
    await next(alive);
  }
  await ended;
  expect(running.clientCount).toBe(1);
});

test("who joins, is refused something, leaves and is turned away is told", async () => {
  const events: ServeEvent[] = [];
  const running = await start({ maxClients: 1, onEvent: (event) => events.push(event) });
  const client = await join(running);
  await expect(join(running)).rejects.toThrow("503");
  const fields = { destination: "10.1.2.3", sourcePort: 5, destinationPort: 80, sequence: 1 };
  client.send(tcpFrame({ ...fields, flags: FLAG.syn }));
  await next(client);
  client.close();
  while (events.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(events).toMatchObject([
    { kind: "joined", client: 1, from: "127.0.0.1" },
    { kind: "turned-away", from: "127.0.0.1", status: "503 Service Unavailable" },
    { kind: "refused", client: 1, refusal: { protocol: "tcp", target: "10.1.2.3:80" } },
    { kind: "left", client: 1, stats: { counts: { "refused: private": 1 } } },
  ]);
});

test("closing does not wait for those who have said nothing", async () => {
  const running = await start();
  const silent = connect(running.port, "127.0.0.1");
  await new Promise((resolve) => silent.once("connect", resolve));
  const client = await join(running);
  const left = new Promise((resolve) => client.once("close", resolve));
  await running.close();
  await left;
  silent.destroy();
});
