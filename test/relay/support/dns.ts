import { hex, readUdp, u16 } from "./frames.ts";

export const TYPE = {
  A: 1,
  NS: 2,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  CAA: 257,
  ANY: 255,
};

export function query(name: string, type = TYPE.A, { id = 0x1234, edns = 0 } = {}): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return hex(
    u16(id),
    "0100 0001 0000 0000",
    u16(edns > 0 ? 1 : 0),
    ...labels.map((label) => hex([label.length], Buffer.from(label, "latin1"))),
    "00",
    u16(type),
    "0001",
    edns > 0 ? hex("00 0029", u16(edns), "00000000 0000") : "",
  );
}

export function readMessage(message: Buffer) {
  const flags = message.readUInt16BE(2);
  const answers: { type: number; ttl: number; data: Buffer }[] = [];
  let at = 12;
  if (message.readUInt16BE(4) > 0) {
    while (message[at] !== 0) at += 1 + (message[at] ?? 0);
    at += 5;
  }
  for (let index = 0; index < message.readUInt16BE(6); index++) {
    if (message.readUInt16BE(at) !== 0xc00c) throw new Error("the name is not the question's");
    const length = message.readUInt16BE(at + 10);
    const data = message.subarray(at + 12, at + 12 + length);
    answers.push({ type: message.readUInt16BE(at + 2), ttl: message.readUInt32BE(at + 6), data });
    at += 12 + length;
  }
  const rest = message.length - at;
  return {
    id: message.readUInt16BE(0),
    isResponse: flags >> 15 === 1,
    isTruncated: (flags & 0x0200) !== 0,
    rcode: flags & 15,
    answers,
    hasEdns: rest === 11,
  };
}

export function readAnswer(frame: Uint8Array) {
  const { source, sourcePort, payload } = readUdp(frame);
  if (source !== "10.0.2.3" || sourcePort !== 53) throw new Error("not from the name server");
  return readMessage(payload);
}
