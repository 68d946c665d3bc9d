import { isIPv4 } from "node:net";
import { InvalidArgumentError } from "commander";

export interface ListenAddress {
  address: string;
  port: number;
}

/** `127.0.0.1:8086`, or a port alone, which is on loopback. Commander shows the message beside the option. */
export function parseListen(text: string): ListenAddress {
  const [, address = "127.0.0.1", digits] = /^(?:([^:]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535) || !isIPv4(address)) {
    throw new InvalidArgumentError("It must be an address and a port, as in 127.0.0.1:8086.");
  }
  return { address, port };
}

export function isLoopback(address: string): boolean {
  return address.startsWith("127.");
}

/** Of web pages, as browsers send it (RFC 6454): scheme, host and port, and nothing behind. */
export function parseOrigin(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin === "null" || (text !== origin && text !== `${origin}/`)) {
    throw new InvalidArgumentError("It must be an origin, as in https://example.org.");
  }
  return origin;
}

export interface Target {
  host: string;
  port: number;
}

/** `HOST:PORT`; the port stands behind the last colon, and an IPv6 address may stand in brackets. */
export function parseTarget(text: string): Target {
  const [, host = "", digits] = /^(\S+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host === "" || !(port >= 1 && port <= 65_535)) {
    throw new InvalidArgumentError(
      "It must be a name or an address with a port, as in 1.2.3.4:443.",
    );
  }
  return { host, port };
}
