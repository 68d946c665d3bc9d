import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { AskedPings } from "../../workers/machine/asked-pings.ts";
import type { MachineEvent, NetworkParameters } from "../../workers/machine/messages.ts";
import { OutsidePings } from "../../workers/machine/outside-pings.ts";

const PUBLIC = "93.184.216.34";
const NETWORK: NetworkParameters = {
  backend: "relay",
  rules: "deny icmp 93.184.216.35\nallow any",
  hostPorts: [],
  limits: {},
};

function pings(network = NETWORK) {
  const asked: string[] = [];
  let nowMs = 0;
  let answer = (): Promise<boolean> => Promise.resolve(true);
  const outside = new OutsidePings({
    network,
    ping: (address) => {
      asked.push(address);
      return answer();
    },
    nowMs: () => nowMs,
  });
  return {
    outside,
    asked,
    pass: (ms: number) => {
      nowMs += ms;
    },
    answerBy: (by: () => Promise<boolean>) => {
      answer = by;
    },
  };
}

test("an address that answers, and one that does not", async () => {
  const { outside, asked, answerBy } = pings();
  expect(await outside.ask(PUBLIC)).toBe("answered");
  answerBy(async () => false);
  expect(await outside.ask(PUBLIC)).toBe("silent");
  expect(asked).toEqual([PUBLIC, PUBLIC]);
});

const ownAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family }) => family === "IPv4")?.address;

test.each(["127.0.0.1", "10.1.2.3", "169.254.169.254", "224.0.0.1", "93.184.216.35", ownAddress])(
  "%s, which the machine's policy closes, is not asked",
  async (address) => {
    const { outside, asked } = pings();
    expect(await outside.ask(address)).toBe("refused");
    expect(asked).toEqual([]);
  },
);

test.each([
  "-f",
  "93.184.216.34 -f",
  "93.184.216.34\n",
  "example.org",
  "0x5db8d822",
  "1572395042",
  "::ffff:93.184.216.34",
  "",
  42,
  null,
  { toString: () => PUBLIC },
])("%j is no address, whoever says so", async (address) => {
  const { outside, asked } = pings();
  expect(await outside.ask(address)).toBe("refused");
  expect(asked).toEqual([]);
});

test("a machine without a network pings nobody", async () => {
  const { outside, asked } = pings({ ...NETWORK, backend: "none" });
  expect(await outside.ask(PUBLIC)).toBe("refused");
  expect(asked).toEqual([]);
});

test("a host whose ping cannot be used refuses", async () => {
  const { outside, answerBy } = pings();
  answerBy(() => Promise.reject(new Error("spawn ping ENOENT")));
  expect(await outside.ask(PUBLIC)).toBe("refused");
});

test("no more than four at once, and five a second", async () => {
  const { outside, asked, answerBy, pass } = pings();
  const late = Promise.withResolvers<boolean>();
  answerBy(() => late.promise);
  const first = [1, 2, 3, 4, 5, 6].map(() => outside.ask(PUBLIC));
  late.resolve(true);
  expect((await Promise.all(first)).sort()).toEqual([
    ...Array(4).fill("answered"),
    ...Array(2).fill("silent"),
  ]);
  expect(asked).toHaveLength(4);
  for (let times = 0; times < 10; times++) await outside.ask(PUBLIC);
  expect(asked).toHaveLength(5);
  pass(1_000);
  for (let times = 0; times < 10; times++) await outside.ask(PUBLIC);
  expect(asked).toHaveLength(10);
});

test("the machine's process asks its parent, and takes each answer for its own question", async () => {
  const told: MachineEvent[] = [];
  const asked = new AskedPings((event) => told.push(event));
  const [one, two, three] = [asked.ask("1.1.1.1"), asked.ask("2.2.2.2"), asked.ask("3.3.3.3")];
  expect(told).toMatchObject([
    { event: "ping", address: "1.1.1.1" },
    { event: "ping", address: "2.2.2.2" },
    { event: "ping", address: "3.3.3.3" },
  ]);
  const ids = told.map((event) => (event.event === "ping" ? event.id : 0));
  asked.answer(ids[1] ?? 0, "answered");
  asked.answer(ids[0] ?? 0, "silent");
  asked.answer(ids[2] ?? 0, "refused");
  asked.answer(99, "answered");
  expect(await one).toBe(false);
  expect(await two).toBe(true);
  await expect(three).rejects.toThrow("sends no such ping");
});
