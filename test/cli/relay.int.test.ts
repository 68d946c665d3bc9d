import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { dhcpMessage, dhcpOptions } from "../relay/support/dhcp.ts";
import {
  FLAG,
  hex,
  ip,
  isTcp,
  readIcmp,
  readTcp,
  readUdp,
  tcpFrame,
  udpFrame,
} from "../relay/support/frames.ts";
import { ModelGuest } from "../relay/support/model-guest.ts";
import { mom, type RunningMom, startMom } from "../support/mom.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startRelay(...args: string[]): Promise<{ url: string; running: RunningMom }> {
  const running = startMom(["relay", "--listen", "127.0.0.1:0", ...args]);
  cleanups.push(() => running.child.kill("SIGKILL"));
  await running.says(/ready/);
  const [url = ""] = /ws:\/\/\S+?\//.exec(running.stderr()) ?? [];
  return { url, running };
}

/** A v86 as the relay sees it: a WebSocket and its frames. */
class Card {
  readonly socket: WebSocket;
  readonly frames: Buffer[] = [];
  onFrame: (frame: Buffer) => void = (frame) => this.frames.push(frame);

  constructor(url: string, options: { origin?: string } = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on("message", (frame: Buffer) => this.onFrame(frame));
    cleanups.push(() => this.socket.terminate());
  }

  async ask(frame: Uint8Array): Promise<Buffer> {
    this.socket.send(frame);
    while (this.frames.length === 0) await once(this.socket, "message");
    return this.frames.shift() ?? hex("");
  }
}

test("a v86 gets an address by DHCP and fetches a page over TCP, and Ctrl-C ends the relay", async () => {
  const page = Buffer.alloc(200_000, "the page\n");
  const web = createServer((request, response) =>
    response.end(request.url === "/page" ? page : ""),
  );
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  cleanups.push(() => web.close());
  const { port } = web.address() as AddressInfo;
  const { url, running } = await startRelay("--policy", "none", "--host-port", String(port));
  const card = new Card(url);
  await once(card.socket, "open");

  const everybody = { address: "255.255.255.255", port: 67 };
  const offer = readUdp(await card.ask(udpFrame(everybody, 68, dhcpMessage(1), "0.0.0.0")));
  expect(dhcpOptions(offer.payload).get(53)).toBe("02");
  const address = offer.payload.subarray(16, 20);
  const request = dhcpMessage(3, hex("3204", address));
  const lease = readUdp(await card.ask(udpFrame(everybody, 68, request, "0.0.0.0")));
  expect(dhcpOptions(lease.payload)).toEqual(new Map([...dhcpOptions(offer.payload), [53, "05"]]));
  expect([...address]).toEqual(ip("10.0.2.15"));

  const guest = new ModelGuest({
    destination: "10.0.2.2",
    destinationPort: port,
    sourcePort: 40_000,
    sequence: 7,
    mss: 1460,
    windowBytes: 65_535,
    scale: undefined,
    toSend: Buffer.from("GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    send: (frame) => card.socket.send(frame),
    nowMs: () => performance.now(),
  });
  card.onFrame = (frame) => {
    if (isTcp(frame)) guest.receive(readTcp(frame));
  };
  guest.start();
  while (!guest.isDone) {
    guest.read(65_535);
    guest.tick();
    expect(guest.wasReset).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const received = Buffer.concat(guest.received);
  const bodyAt = received.indexOf("\r\n\r\n") + 4;
  expect(received.subarray(bodyAt).equals(page)).toBe(true);

  running.child.kill("SIGINT");
  const { status, stdout } = await running.result;
  expect(status).toBe(0);
  const log = String(stdout)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(log).toMatchObject([
    { msg: "a client joined", client: 1, from: "127.0.0.1" },
    { msg: "a client left", client: 1 },
  ]);
  expect(log[1].downBytes).toBeGreaterThan(200_000);
});

test("the token is asked for and kept out of the log; a web page joins with its origin", async () => {
  const token = "correct-horse";
  const { url, running } = await startRelay("--token", token, "--origin", "https://good.example");
  await expect(once(new Card(url).socket, "open")).rejects.toThrow("401");
  const good = `${url}?token=${token}`;
  const evil = new Card(good, { origin: "https://evil.example" });
  await expect(once(evil.socket, "open")).rejects.toThrow("403");
  await once(new Card(good, { origin: "https://good.example" }).socket, "open");
  running.child.kill("SIGTERM");
  const { stdout, stderr } = await running.result;
  expect(`${stdout}${stderr}`).not.toContain(token);
});

test("what a policy file closes is refused at once and logged, and a scan does not flood the log", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mom-relay-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "rules"), "deny 93.184.216.0/24 # closed\nallow any\n");
  const { url, running } = await startRelay("--policy", join(folder, "rules"));
  const card = new Card(url);
  await once(card.socket, "open");
  const syn = (destinationPort: number) =>
    tcpFrame({
      destination: "93.184.216.34",
      destinationPort,
      sourcePort: 40_000,
      sequence: 1,
      flags: FLAG.syn,
    });
  expect(readIcmp(await card.ask(syn(1)))).toMatchObject({ type: 3, code: 13 });
  for (let port = 2; port <= 500; port++) await card.ask(syn(port));
  card.socket.close();
  await running.says(/a client left/);
  const lines = running.stdout().trim().split("\n");
  expect(lines.length).toBeLessThan(200);
  const refused = { msg: "refused", protocol: "tcp", target: "93.184.216.34:1", reason: "rule" };
  expect(JSON.parse(lines[1] ?? "")).toMatchObject(refused);
  expect(JSON.parse(lines.at(-1) ?? "").counts).toMatchObject({ "refused: rule": 500 });
});

test("it listens for others only with a token", async () => {
  const { status, stderr } = await mom(["relay", "--listen", "0.0.0.0:0"]);
  expect(stderr).toContain("mom: Everybody who reaches 0.0.0.0 could use this computer's network");
  expect(status).toBe(2);
});

test.each([
  [["--listen", "localhost:80"], 2, "as in 127.0.0.1:8086"],
  [["--origin", "example.org/a"], 2, "as in https://example.org"],
  [["--token", "short"], 1, "MOM_RELAY_TOKEN is too short"],
  [["--policy", "/nowhere"], 1, "/nowhere cannot be read"],
])("%j is refused in a sentence", async (args, wanted, said) => {
  const { status, stderr } = await mom(["relay", ...args]);
  expect(stderr).toContain(said);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(status).toBe(wanted);
});
