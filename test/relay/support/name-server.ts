import { createSocket } from "node:dgram";

export interface NameServer {
  /** Address and port, as `MOM_NET_DNS` takes it. */
  address: string;
  close(): void;
}

const TYPE_A = 1;
const TYPE_PTR = 12;
const TYPE_MX = 15;
const TYPE_TXT = 16;
const TYPE_SRV = 33;
const NAME_ERROR = 3;

/**
 * A DNS server (RFC 1035) for tests. A name's answers are given in turn, the last for ever: so a name can change its
 * mind.
 *
 * @param others the addresses of a name that is not in `names`; `undefined` where there is no such name.
 */
export async function startNameServer(
  names: Record<string, string[]>,
  others?: (name: string) => Promise<string[] | undefined>,
): Promise<NameServer> {
  const asked = new Map<string, number>();
  const socket = createSocket("udp4");
  socket.on("message", async (query, { address, port }) => {
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end);
    const turns = names[name] ?? (await others?.(name));
    const turn = asked.get(name) ?? 0;
    if (type === TYPE_A) asked.set(name, turn + 1);
    const record = turns && recordOf(type, turns[Math.min(turn, turns.length - 1)] ?? "");
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180 | (turns === undefined ? NAME_ERROR : 0), 2);
    header.writeUInt16BE(record === undefined ? 0 : 1, 6);
    header.writeUInt32BE(0, 8);
    const question = query.subarray(12, end + 4);
    socket.send(Buffer.concat([header, question, record ?? Buffer.alloc(0)]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  // Resolvers mix upper and lower case, against forged answers.
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

function recordOf(type: number, value: string): Buffer | undefined {
  const data = dataOf(type, value);
  if (data === undefined) return undefined;
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(type: number, value: string): Buffer | undefined {
  if (type === TYPE_A) return Buffer.from(value.split(".").map(Number));
  const text = Buffer.from(value);
  if (type === TYPE_TXT) return Buffer.concat([Buffer.from([text.length]), text]);
  if (type === TYPE_MX) return Buffer.concat([Buffer.from([0, 10]), nameOf("mail")]);
  if (type === TYPE_PTR) return nameOf(value);
  // Priority 1, weight 2, port 8080 (RFC 2782).
  if (type === TYPE_SRV) return Buffer.concat([Buffer.from([0, 1, 0, 2, 31, 144]), nameOf(value)]);
  return undefined;
}

function nameOf(text: string): Buffer {
  const labels = text.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.from([...labels, 0]);
}
