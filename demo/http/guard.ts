import type { IncomingMessage } from "node:http";

const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Whether a request was meant for this server: a page of another origin that a browser has open may send
 * requests to loopback, and a name that resolves to loopback may stand in `Host` (DNS rebinding).
 */
export function isForUs(request: IncomingMessage): boolean {
  return isLoopback(request.headers.host);
}

/** For what a browser may do: nothing from another origin. Programs send no `Origin`. */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (request.headers["sec-fetch-site"] === "cross-site") return false;
  return origin === undefined || origin === `http://${host}`;
}

export function cookie(request: IncomingMessage, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}

function isLoopback(host: string | undefined): boolean {
  return host !== undefined && LOOPBACK_HOSTS.has(host.replace(/:\d+$/, ""));
}
