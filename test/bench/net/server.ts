import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const BLOCK = Buffer.alloc(1 << 16);

/** A web server on loopback: `GET /BYTES` is answered with so many zeros, whatever is sent is read. */
export async function startBenchServer(): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET") {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    response.end(`${bytes}\n`);
    return;
  }
  let left = Number.parseInt(request.url?.slice(1) ?? "", 10);
  response.writeHead(200, { "content-length": left, connection: "close" });
  while (left > 0 && !response.destroyed) {
    const part = BLOCK.subarray(0, Math.min(left, BLOCK.length));
    left -= part.length;
    if (!response.write(part)) await new Promise((resolve) => response.once("drain", resolve));
  }
  response.end();
}
