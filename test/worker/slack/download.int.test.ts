import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { downloadAttachment } from "../../../workers/slack/download.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function download(
  origin: string,
  options: { size?: number; timeoutMs?: number; signal?: AbortSignal; url?: string } = {},
) {
  const { size = 5, timeoutMs = 5_000, signal = new AbortController().signal } = options;
  return downloadAttachment(
    { name: "a.txt", size, url: options.url ?? `${origin}/file` },
    { botToken: "xoxb-1", apiUrl: `${origin}/api/`, maxBytes: 1_000, timeoutMs, signal },
  );
}

test("the file is fetched with the bot's token", async () => {
  const origin = await serve((request, response) => response.end(request.headers.authorization));
  expect(Buffer.from(await download(origin)).toString()).toBe("Bearer xoxb-1");
});

test("a redirect on the same host is followed", async () => {
  const origin = await serve((request, response) => {
    if (request.url === "/there") response.end("bytes");
    else response.writeHead(302, { location: "/there" }).end();
  });
  expect(Buffer.from(await download(origin)).toString()).toBe("bytes");
});

test("a redirect to another host is not followed", async () => {
  let asked = false;
  const other = await serve((_request, response) => {
    asked = true;
    response.end("gotcha");
  });
  const origin = await serve((_request, response) =>
    response.writeHead(302, { location: `${other}/x` }).end(),
  );
  await expect(download(origin)).rejects.toMatchObject({ code: "NOT_AT_SLACK" });
  expect(asked).toBe(false);
});

test("a circle of redirects ends", async () => {
  const origin = await serve((_request, response) =>
    response.writeHead(302, { location: "/file" }).end(),
  );
  await expect(download(origin)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining("too many redirects"),
  });
});

test("a page to log in is told as missing access, a file that is a page is taken", async () => {
  const page = "<!DOCTYPE html><title>Sign in</title>";
  const origin = await serve((_request, response) =>
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page),
  );
  await expect(download(origin)).rejects.toMatchObject({ code: "NO_ACCESS" });
  expect((await download(origin, { size: page.length })).length).toBe(page.length);
});

test("more bytes than were announced are not taken", async () => {
  const origin = await serve((_request, response) => response.end("x".repeat(5_000)));
  await expect(download(origin)).rejects.toMatchObject({ code: "TOO_LARGE" });
});

test("an error of the server is named", async () => {
  const origin = await serve((_request, response) => response.writeHead(503).end());
  await expect(download(origin)).rejects.toMatchObject({
    message: "Slack did not give me the file `a.txt` (HTTP 503).",
  });
});

test("a connection that breaks in the middle is no file", async () => {
  const origin = await serve((request, response) => {
    response.writeHead(200, { "content-length": "100" }).write("half");
    setTimeout(() => request.socket.destroy(), 20);
  });
  await expect(download(origin)).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

test("a server that does not answer is given up", async () => {
  const origin = await serve(() => {});
  await expect(download(origin, { timeoutMs: 100 })).rejects.toMatchObject({
    message: "Slack did not give me the file `a.txt` (no answer in 0.1 s).",
  });
});

test("a stop ends the download with the stop's own reason", async () => {
  const origin = await serve(() => {});
  const stop = new AbortController();
  const downloading = download(origin, { signal: stop.signal });
  const reason = new Error("stopped");
  stop.abort(reason);
  await expect(downloading).rejects.toBe(reason);
});
