import { hex, u16 } from "./frames.ts";

/** A TLS 1.3 ClientHello by hand (RFC 8446, 4.1.2), with or without a server name. */
export function clientHello(name: string | undefined): Buffer {
  const host = Buffer.from(name ?? "");
  const entry = hex([0], u16(host.length), host);
  const list = hex(u16(entry.length), entry);
  const sni = name === undefined ? hex("") : hex("0000", u16(list.length), list);
  const extensions = hex("002b 0003 02 0304", sni);
  const body = hex(
    "0303",
    new Array(32).fill(7),
    "20",
    new Array(32).fill(9),
    "0002 1301",
    "01 00",
    u16(extensions.length),
    extensions,
  );
  const message = hex([1, 0], u16(body.length), body);
  return hex("16 0301", u16(message.length), message);
}
