import { GUEST_MAC, hex, ip, u16 } from "./frames.ts";

/** A client's message by hand (RFC 2131, 2; RFC 2132): 1 is a discovery, 3 a request. */
export function dhcpMessage(
  type: number,
  options: Uint8Array = hex(""),
  flags = 0,
  client = "0.0.0.0",
): Buffer {
  return hex(
    "01 01 06 00 cafebabe 0000",
    u16(flags),
    ip(client),
    new Array(12).fill(0),
    GUEST_MAC,
    new Array(10 + 192).fill(0),
    "63825363 3501",
    [type],
    options,
    "ff",
  );
}

/** Options of a server's answer by number, in hexadecimal. */
export function dhcpOptions(reply: Buffer): Map<number, string> {
  const options = new Map<number, string>();
  for (let at = 240; reply[at] !== 255; at += 2 + (reply[at + 1] ?? 0))
    options.set(
      reply[at] ?? 0,
      reply.subarray(at + 2, at + 2 + (reply[at + 1] ?? 0)).toString("hex"),
    );
  return options;
}
