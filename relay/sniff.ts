import { read16 } from "./ethernet.ts";

/** The name that a client says first: TLS server name (RFC 8446, RFC 6066) or HTTP Host (RFC 9112, 3.2). */
export type Sniffed =
  | { kind: "incomplete" }
  /** "" where the protocol was spoken without a name. */
  | { kind: "name"; name: string }
  | { kind: "other" };

const TLS_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;
const HTTP_METHOD = /^[A-Z]{1,16}( |$)/;

/** `isAll`: no more bytes will come to make it complete. */
export function sniff(bytes: Uint8Array, isAll: boolean): Sniffed {
  const isTls = bytes[0] === TLS_HANDSHAKE && (bytes.length < 2 || bytes[1] === 3);
  const found = isTls ? sniffTls(bytes) : sniffHttp(bytes);
  if (found.kind !== "incomplete" || !isAll) return found;
  return isTls ? { kind: "name", name: "" } : { kind: "other" };
}

function sniffTls(bytes: Uint8Array): Sniffed {
  const hello = readHello(bytes);
  if (hello === undefined) return { kind: "incomplete" };
  const name = serverName(hello);
  return { kind: "name", name: name ?? "" };
}

/** The handshake message out of its records, which may cut it anywhere. */
function readHello(bytes: Uint8Array): Uint8Array | undefined {
  const message: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + read16(bytes, at + 3);
    if (bytes[at] !== TLS_HANDSHAKE) return new Uint8Array();
    message.push(...bytes.subarray(at + 5, end));
    const length = ((message[1] ?? 0) << 16) | ((message[2] ?? 0) << 8) | (message[3] ?? 0);
    if (message.length >= 4 && message[0] !== CLIENT_HELLO) return new Uint8Array();
    if (message.length >= 4 && message.length >= 4 + length)
      return Uint8Array.from(message.slice(4, 4 + length));
    if (end > bytes.length) return undefined;
    at = end;
  }
  return undefined;
}

function serverName(hello: Uint8Array): string | undefined {
  let at = 2 + 32; // version, random
  at += 1 + (hello[at] ?? 0); // session id
  at += 2 + read16(hello, at); // cipher suites
  at += 1 + (hello[at] ?? 0); // compression methods
  const end = Math.min(hello.length, at + 2 + read16(hello, at));
  for (at += 2; at + 4 <= end; ) {
    const type = read16(hello, at);
    const next = at + 4 + read16(hello, at + 2);
    if (type === EXTENSION_SERVER_NAME && next <= end) {
      const length = read16(hello, at + 7);
      const isHost = hello[at + 6] === NAME_TYPE_HOST && at + 9 + length <= next;
      return isHost ? toName(hello.subarray(at + 9, at + 9 + length)) : undefined;
    }
    at = next;
  }
  return undefined;
}

function sniffHttp(bytes: Uint8Array): Sniffed {
  const text = latin1(bytes);
  const line = text.slice(0, text.search(/[\r\n]|$/));
  if (line.length === text.length && /^[A-Z]{0,16}( [^\r\n]*)?$/.test(line))
    return { kind: "incomplete" };
  if (!HTTP_METHOD.test(line) || !/ HTTP\/1\.[01]$/.test(line)) return { kind: "other" };
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null) return { kind: "incomplete" };
  const head = text.slice(0, end.index).split(/\r?\n/).slice(1);
  const hosts = head.flatMap((field) => /^host:[ \t]*(.*?)[ \t]*$/i.exec(field)?.[1] ?? []);
  // Two would mean one thing to us and another to the server.
  const [host = ""] = hosts.length === 1 ? hosts : [];
  const target = /^\S+ https?:\/\/([^/?#\s]+)/i.exec(line)?.[1];
  if (target !== undefined && target.toLowerCase() !== host.toLowerCase())
    return { kind: "name", name: "" };
  return { kind: "name", name: toName(new TextEncoder().encode(host.replace(/:\d*$/, ""))) };
}

function toName(bytes: Uint8Array): string {
  const name = latin1(bytes).toLowerCase().replace(/\.$/, "");
  return /^[a-z0-9._-]+$/.test(name) ? name : "";
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
