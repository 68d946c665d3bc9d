import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { WebSocketServer } from "ws";

/** Servers on loopback, for guests to talk to; `folder` is served as files below `/files/`. */
export interface LocalServers {
  folder: string;
  http: number;
  https: number;
  /** Answers a datagram with itself. */
  udp: number;
  /** Tells the time (RFC 5905). */
  ntp: number;
  /** PEM of the authority that the HTTPS server's certificate for `server.mom.test` is from. */
  authority: string;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

export async function startServers(): Promise<LocalServers> {
  const folder = mkdtempSync(join(tmpdir(), "mom-servers-"));
  const { key, certificate, authority } = makeCertificate(folder);
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    void serve(request, response, join(folder, "files"));
  mkdirSync(join(folder, "files"));
  // A connection may be idle, and a request long: Node would end them after five seconds and five minutes.
  const http = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, answer).listen(0, HOST);
  const https = createTlsServer({ key, cert: certificate }, answer).listen(0, HOST);
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const udp = await answering((message) => message);
  const ntp = await answering(timeAnswer);
  await Promise.all(
    [http, https].map(
      (server) => server.listening || new Promise((ok) => server.on("listening", ok)),
    ),
  );
  return {
    folder: join(folder, "files"),
    http: (http.address() as AddressInfo).port,
    https: (https.address() as AddressInfo).port,
    udp: udp.address().port,
    ntp: ntp.address().port,
    authority,
    async close() {
      sockets.close();
      udp.close();
      ntp.close();
      for (const server of [http, https]) {
        server.closeAllConnections();
        server.close();
      }
      rmSync(folder, { recursive: true });
    },
  };
}

/** A socket that answers each datagram with one. */
async function answering(answer: (message: Buffer) => Buffer): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { address, port }) => socket.send(answer(message), port, address));
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
  return socket;
}

/** Seconds from the beginning of 1900, which NTP counts from, to that of 1970. */
const NTP_EPOCH_S = 2_208_988_800;

/** RFC 5905, figure 8: version 4, mode 4 (server), stratum 1. */
function timeAnswer(question: Buffer): Buffer {
  const answer = Buffer.alloc(48);
  answer.writeUInt8((4 << 3) | 4, 0);
  answer.writeUInt8(1, 1);
  // What the client sent as its own time stands first, so that it knows its answer.
  question.copy(answer, 24, 40, 48);
  for (const at of [32, 40]) {
    answer.writeUInt32BE(Math.floor(Date.now() / 1000) + NTP_EPOCH_S, at);
  }
  return answer;
}

/** So many bytes that no two places of are alike, and that need no file. */
export function* pattern(bytes: number): Generator<Buffer> {
  const block = Buffer.alloc(65_536);
  for (let at = 0; at < bytes; at += block.length) {
    for (let i = 0; i < block.length; i += 4) block.writeUInt32LE((at + i) >>> 0, i);
    yield Buffer.from(block.subarray(0, Math.min(block.length, bytes - at)));
  }
}

export function patternHash(bytes: number): string {
  const hash = createHash("sha256");
  for (const block of pattern(bytes)) hash.update(block);
  return hash.digest("hex");
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://server");
  const [, kind = "", ...rest] = pathname.split("/");
  switch (kind) {
    case "hello":
      response.end("hello from the host\n");
      return;
    case "bytes":
      response.setHeader("content-length", Number(rest[0]));
      for (const block of pattern(Number(rest[0]))) {
        if (!response.write(block)) await new Promise((resolve) => response.once("drain", resolve));
        if (response.destroyed) return;
      }
      response.end();
      return;
    case "hash": {
      const hash = createHash("sha256");
      for await (const chunk of request) hash.update(chunk);
      response.end(`${hash.digest("hex")}\n`);
      return;
    }
    case "reset":
      response.setHeader("content-length", 1_000_000);
      response.write(Buffer.alloc(200_000), () => request.socket.resetAndDestroy());
      return;
    case "silent":
      // Never reads, never answers.
      request.pause();
      request.socket.pause();
      return;
    case "redirect":
      response.writeHead(302, { location: searchParams.get("to") ?? "/" }).end();
      return;
    case "files":
      sendFile(response, join(folder, normalize(`/${decodeURIComponent(rest.join("/"))}`)));
      return;
    default:
      response.writeHead(404).end();
  }
}

function sendFile(response: ServerResponse, path: string): void {
  try {
    const content = readFileSync(path.endsWith("/") ? `${path}index.html` : path);
    if (path.endsWith("/")) response.setHeader("content-type", "text/html");
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

function makeCertificate(folder: string) {
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const config = file("ca.cnf");
  writeFileSync(
    config,
    "[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash\n",
  );
  const own = ["-keyout", file("ca.key"), "-out", file("ca.pem")];
  openssl(
    "req",
    "-x509",
    ...key,
    ...own,
    "-days",
    "30",
    "-subj",
    "/CN=Mom test",
    "-config",
    config,
  );
  const leaf = ["-keyout", file("leaf.key"), "-out", file("leaf.csr")];
  openssl("req", ...key, ...leaf, "-subj", "/CN=server.mom.test", "-config", config);
  writeFileSync(file("names"), "subjectAltName=DNS:server.mom.test\nextendedKeyUsage=serverAuth\n");
  const signed = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
  const out = ["-out", file("leaf.pem"), "-extfile", file("names")];
  openssl("x509", "-req", "-in", file("leaf.csr"), ...signed, ...out, "-days", "30");
  return {
    key: readFileSync(file("leaf.key"), "utf8"),
    certificate: readFileSync(file("leaf.pem"), "utf8"),
    authority: readFileSync(file("ca.pem"), "utf8"),
  };
}
