import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { nodeHost, Policy } from "../../relay/index.ts";
import { type RelayServer, type ServeOptions, serveRelay } from "../../relay/serve.ts";
import { GATEWAY, hex, icmpFrame, readIcmp } from "./support/frames.ts";

let server: RelayServer | undefined;
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await server?.close();
});

async function start(options: Partial<ServeOptions> = {}): Promise<RelayServer> {
  const host = nodeHost({ resolve: async () => ({ status: "failed", records: [] }) });
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
