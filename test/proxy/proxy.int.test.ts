import { once } from "node:events";
import { createServer, type RequestListener, request } from "node:http";
import {
  type AddressInfo,
  createServer as createRawServer,
  type Server,
  type Socket,
} from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { MachineError } from "../../workers/machine/api.ts";
import { ProxyWorld } from "./world.ts";

/** What passes between people and a thread that is awake. Servers of this test stand for programs in the guest. */

const ANSWER_WITHIN_MS = 700;

let world: ProxyWorld;
beforeAll(async () => {
  world = await ProxyWorld.start({
    answerWithinMs: ANSWER_WITHIN_MS,
    headersWithinMs: 500,
    ofName: 4,
    recheckMs: 100,
  });
  await world.worker();
});
afterAll(() => world.close());

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A name that leads to a web server. */
async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return (await world.thread(await listening(server))).name;
}

/** A name that leads to something that answers as it likes. */
async function hostile(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  const server = createRawServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  return (await world.thread(await listening(server))).name;
}

/** Answers a request with these bytes, and ends. */
function saying(bytes: string): Promise<string> {
  return hostile((socket) => socket.once("data", () => socket.end(bytes, "latin1")));
}

test("requests and answers pass both ways, with the host that was asked for", async () => {
  const name = await served((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      response.setHeader("x-made-by", ["one", "two"]);
      response.statusCode = 201;
      response.end(
        JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }),
      );
    });
  });
  const answer = await world.get(name, {
    path: "/a?b=c",
    method: "PUT",
    body: "hello",
    headers: {
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "1",
      forwarded: "for=6.6.6.6",
      "x-real-ip": "6.6.6.6",
      te: "trailers",
      connection: "close, x-mine",
      "x-mine": "1",
      cookie: "a=b",
    },
  });
  expect(answer.status).toBe(201);
  expect(answer.headers).toMatchObject({
    "x-made-by": "one, two",
    "referrer-policy": "same-origin",
  });
  const seen = JSON.parse(answer.body);
  expect(seen).toMatchObject({ method: "PUT", url: "/a?b=c", body: "hello" });
  expect(seen.headers).toEqual({
    host: world.host(name),
    cookie: "a=b",
    "content-length": "5",
    connection: "close",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": world.host(name),
    "x-forwarded-proto": "http",
  });
});

test("an answer comes as it is written, and goes no faster than it is read", async () => {
  let written = 0;
  const name = await served((request, response) => {
    if (request.url === "/slow") {
      response.write("first");
      setTimeout(() => response.end(" second"), 300);
      return;
    }
    const more = () => {
      while (written < 400_000_000) {
        written += 1_000_000;
        if (!response.write(Buffer.alloc(1_000_000))) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  const url = `http://127.0.0.1:${world.proxy.port}`;
  const chunks: string[] = [];
  await new Promise<void>((resolve) => {
    const asked = request(`${url}/slow`, { headers: { host: world.host(name) } }, (answer) => {
      answer.on("data", (chunk) => chunks.push(String(chunk)));
      answer.on("end", () => resolve());
    });
    asked.end();
  });
  expect(chunks).toEqual(["first", " second"]);
  const asked = request(`${url}/flood`, { headers: { host: world.host(name) }, agent: false });
  asked.on("error", () => {});
  asked.end();
  await once(asked, "response");
  // It comes to a halt, however slowly the computer fills what lies between.
  for (let before = -1; before !== written; ) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  expect(written).toBeLessThan(30_000_000);
  asked.destroy();
});

test("a WebSocket passes", async () => {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(`hello ${request.headers.host}`);
      client.on("message", (message) => client.send(`echo ${message}`));
    });
  });
  const { name } = await world.thread(await listening(server));
  const client = new WebSocket(`ws://127.0.0.1:${world.proxy.port}/socket`, {
    headers: { host: world.host(name) },
  });
  onTestFinished(() => client.terminate());
  const messages: string[] = [];
  client.on("message", (message) => messages.push(String(message)));
  await once(client, "open");
  client.send("one");
  await expect.poll(() => messages).toEqual([`hello ${world.host(name)}`, "echo one"]);
  client.send("x".repeat(500_000));
  await expect.poll(() => messages.at(-1)?.length).toBe(500_005);
  client.close();
  await once(client, "close");
});

test("a WebSocket that the guest does not want is answered with what it says", async () => {
  const name = await served((_request, response) => void response.writeHead(403).end("no"));
  const answer = await world.raw(
    `GET / HTTP/1.1\r\nHost: ${world.host(name)}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 403 [\s\S]*no/);
});

test("every unknown name is answered alike, and a path or a port makes no difference", async () => {
  const { name } = await world.thread(1);
  const others = ["a".repeat(32), "A1", name.slice(1), `${name}.${name}`, "-", ""];
  const answers = await Promise.all(others.map((other) => world.get(other)));
  const foreign = await world.get(name, { headers: { host: `${name}.example.org` } });
  for (const { status, headers, body } of [...answers, foreign]) {
    const { date: _date, ...rest } = headers;
    expect([status, body, rest]).toEqual([
      404,
      "There is nothing at this address.\n",
      {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-store",
        connection: "close",
        "transfer-encoding": "chunked",
      },
    ]);
  }
});

test("a port on which nothing listens is told", async () => {
  const { name } = await world.thread(1);
  const { status, body } = await world.get(name);
  expect([status, body]).toEqual([502, expect.stringContaining("answers on port 1:")]);
});

test("two names lead to two threads, and a name that was taken away to none", async () => {
  const hello = await served((_request, response) => void response.end("one"));
  expect((await world.get(hello)).body).toBe("one");
  const sockets: Socket[] = [];
  const port = await listening(
    createRawServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\nendless"));
    }),
  );
  const { name, turn } = await world.thread(port);
  const open = world.get(name).catch((error: Error) => error.message);
  await expect.poll(() => sockets.length).toBe(1);
  await world.harness.queue.unexpose(turn.thread, port);
  expect((await world.get(name)).status).toBe(404);
  expect(await open).toMatch(/aborted|ECONNRESET|hang up/);
});

test("a guest sets cookies and other things for its own name alone", async () => {
  const name = await served((_request, response) => {
    response.setHeader("set-cookie", [
      "a=1; Domain=localhost; Path=/",
      "b=2; path=/; DOMAIN = .localhost;Secure",
      "domain=3; domain",
    ]);
    response.setHeader("clear-site-data", '"*"');
    response.setHeader("alt-svc", 'h2="elsewhere:443"');
    response.setHeader("referrer-policy", "no-referrer");
    response.end();
  });
  const { headers } = await world.get(name);
  expect(headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2; path=/;Secure", "domain=3"]);
  expect(headers).not.toHaveProperty("clear-site-data");
  expect(headers).not.toHaveProperty("alt-svc");
  expect(headers["referrer-policy"]).toBe("no-referrer");
});

test.each([
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["headers without an end", `HTTP/1.1 200 OK\r\nA: ${"a".repeat(200_000)}`],
  ["too many headers", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}\r\n`],
  ["a header with a null", "HTTP/1.1 200 OK\r\nA: a\0b\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
  ["a status that is none", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"],
  [
    "a switch that nobody asked for",
    "HTTP/1.1 101 Hi\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx",
  ],
])("%s of a guest's is a 502", async (_what, bytes) => {
  const { status, body } = await world.get(await saying(bytes));
  expect([status, body]).toEqual([502, expect.stringContaining("not HTTP")]);
});

test("an answer that is broken off is not taken for a whole one", async () => {
  const name = await saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  await expect(world.get(name)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

test("what a guest sends behind its answer is nobody's", async () => {
  const name = await saying(
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
  );
  const ask = `GET / HTTP/1.1\r\nHost: ${world.host(name)}\r\n`;
  const all = await world.raw(`${ask}\r\n${ask}Connection: close\r\n\r\n`);
  expect(all.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(all).not.toContain("evil");
});

test("a guest that never answers is given up, and so is one that never ends its headers", async () => {
  const [silent, slow] = await Promise.all([
    hostile(() => {}),
    hostile((socket) => socket.write("HTTP/1.1 200 OK\r\n")),
  ]);
  const answers = await Promise.all([world.get(silent), world.get(slow)]);
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([504, expect.stringContaining("did not answer in 0.7 s")]);
  }
});

test("a computer whose network lets nothing in is told as such at once", async () => {
  const name = await served((_request, response) => void response.end("hi"));
  for (const machine of world.harness.machines) {
    const { publishSocket } = machine;
    machine.publishSocket = () => Promise.reject(new MachineError("NO_WAY_IN", "no relay"));
    onTestFinished(() => {
      machine.publishSocket = publishSocket;
    });
  }
  const { status, body } = await world.get(name);
  expect([status, body]).toEqual([503, expect.stringContaining("set MOM_NET to relay")]);
});

test("connections of one name are bounded, and another name has its own", async () => {
  const waiting = await hostile(() => {});
  const other = await served((_request, response) => void response.end("hi"));
  const answers = await Promise.all(Array.from({ length: 7 }, () => world.get(waiting)));
  expect(answers.map(({ status }) => status).sort()).toEqual([503, 503, 503, 504, 504, 504, 504]);
  expect((await world.get(other)).body).toBe("hi");
  // Those that are over leave room.
  expect((await world.get(waiting)).status).toBe(504);
});

test("who leaves while waiting leaves room for others", async () => {
  const connections: Socket[] = [];
  const name = await hostile((socket) => connections.push(socket.resume()));
  const { port } = await world.otherProxy({ ofName: 4, answerWithinMs: 60_000 });
  const asked = Array.from({ length: 4 }, () => {
    const one = request({ port, headers: { host: world.host(name) }, agent: false });
    one.on("error", () => {});
    one.end();
    return one;
  });
  await expect.poll(() => connections.length, { timeout: 20_000 }).toBe(4);
  for (const one of asked) one.destroy();
  await expect.poll(() => connections.every((socket) => socket.destroyed)).toBe(true);
  void world.get(name, { port }).catch(() => {});
  await expect.poll(() => connections.length).toBe(5);
});

test.each([
  ["both lengths", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
  ["an encoding that is none", "Transfer-Encoding: xchunked\r\n\r\n"],
  ["an encoding behind a space", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
  ["a bare line feed in a chunk", "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"],
  ["a folded header", "A: b\r\n Transfer-Encoding: chunked\r\n\r\n"],
  ["a second host", "Host: other.localhost\r\n\r\n"],
])("a request with %s does not reach the guest whole", async (_what, rest) => {
  const seen: string[] = [];
  const name = await served((request, response) => {
    request.on("data", () => {});
    request.on("end", () => seen.push(request.url ?? ""));
    response.end();
  });
  const all = await world.raw(`POST /it HTTP/1.1\r\nHost: ${world.host(name)}\r\n${rest}`);
  expect(all).toMatch(/^HTTP\/1\.1 (400|431|502) /);
  expect(seen).toEqual([]);
});

test("a request that never ends its headers is given up", async () => {
  expect(await world.raw("GET / HTTP/1.1\r\nHost: x\r\nA: ")).toMatch(/^HTTP\/1\.1 408 /);
});

test.each([
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  [
    "a whole address as its path",
    "GET http://x.localhost/ HTTP/1.1\r\nHost: x.localhost\r\n\r\n",
    400,
  ],
  ["huge headers", `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(100_000)}\r\n\r\n`, 431],
  [
    "an upgrade to something else",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    400,
  ],
  [
    "a WebSocket with a body",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nContent-Length: 3\r\n\r\nabc",
    400,
  ],
])("a request with %s is refused", async (_what, bytes, status) => {
  expect(await world.raw(bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
});
