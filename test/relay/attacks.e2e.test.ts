import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Machine } from "../../workers/machine/machine.ts";
import { bytes, output, run, startMachine } from "../machine/support/machine.ts";
import { ownAddresses } from "../support/own-addresses.ts";
import { type LocalServers, startServers } from "./support/local-servers.ts";
import { type NameServer, startNameServer } from "./support/name-server.ts";

// A guest tries to reach what is closed to it: this host, its networks, other guests, and what names lead to there. A
// server stands where Redis or the local Slack would; nobody may have come to it at the end.

let inner: Server;
let visitors = 0;
let innerPort: number;
let servers: LocalServers;
let names: NameServer;
let machine: Machine;
const refusals = new Set<string>();

const own = ownAddresses();

/** One of each closed range. */
const CLOSED = [
  "10.1.2.3",
  "100.64.1.1",
  "100.100.100.200",
  "168.63.129.16",
  "169.254.169.254",
  "169.254.1.1",
  "172.16.0.1",
  "192.0.0.1",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "240.0.0.1",
  "10.0.2.3",
  // Where another guest would be.
  "10.0.2.16",
];

beforeAll(async () => {
  inner = createServer((socket) => {
    visitors++;
    socket.destroy();
  });
  innerPort = await new Promise((resolve) => {
    inner.listen(0, "0.0.0.0", () => {
      const address = inner.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  servers = await startServers();
  names = await startNameServer({
    "private.mom.test": ["192.168.1.1"],
    "loopback.mom.test": ["127.0.0.1"],
    "metadata.mom.test": ["169.254.169.254"],
    "own.mom.test": [own[0] ?? "127.0.0.1"],
    "gateway.mom.test": ["10.0.2.2"],
    "rebinding.mom.test": ["93.184.216.34", "127.0.0.1"],
  });
  machine = await startMachine({
    parameters: {
      network: {
        backend: "relay",
        rules: "deny tcp any 25\nallow any",
        hostPorts: [servers.http],
        nameServers: [names.address],
        limits: {},
      },
    },
    onRefused: (told) => {
      for (const { protocol, target, reason } of told)
        refusals.add(`${protocol} ${target} ${reason}`);
    },
  });
  await machine.writeFile(
    "/root/knock.py",
    bytes(`
import socket, sys
for target in sys.argv[2:]:
    try:
        socket.create_connection((target, int(sys.argv[1])), 20).close()
        print(target, "OPEN")
    except OSError as error:
        print(target, "timeout" if isinstance(error, TimeoutError) else "closed")
`),
  );
});
afterAll(async () => {
  await machine?.stop();
  names?.close();
  await servers?.close();
  inner?.close();
});

/** What comes of a connection to each. */
async function knock(targets: readonly string[], port = innerPort): Promise<string[]> {
  const said = await output(machine, `python3 knock.py ${port} ${targets.join(" ")}`);
  return said.trim().split("\n");
}

const closed = (targets: readonly string[]) => targets.map((target) => `${target} closed`);

test("addresses of every closed range are closed, at once", async () => {
  const targets = [...CLOSED, ...own];
  expect(await knock(targets)).toEqual(closed(targets));
  expect([...refusals].filter((refusal) => refusal.includes("10.1.2.3"))).toEqual([
    `tcp 10.1.2.3:${innerPort} private`,
  ]);
});

test("the host's own ports are closed but for those that were listed", async () => {
  expect(await knock(["10.0.2.2"])).toEqual(["10.0.2.2 closed"]);
  expect(await knock(["10.0.2.2"], servers.http)).toEqual(["10.0.2.2 OPEN"]);
});

test("other spellings lead nowhere else", async () => {
  // 10.1.2.3 as one number, in octal, in hexadecimal, short, and mapped into IPv6; then the guest's own loopback.
  const spellings = ["167838211", "012.01.02.03", "0xa.0x1.0x2.0x3", "10.66051", "::ffff:10.1.2.3"];
  const loopback = ["127.0.0.1", "2130706433", "0177.0.0.1", "0", "::ffff:127.0.0.1", "::1"];
  const targets = [...spellings, ...loopback];
  expect(await knock(targets)).toEqual(closed(targets));
});

test("names of closed addresses are no names", async () => {
  const targets = ["private", "loopback", "metadata", "own", "gateway"].map(
    (name) => `${name}.mom.test`,
  );
  expect(await knock(targets)).toEqual(closed(targets));
});

test("a name that changes its mind is not followed", async () => {
  const address = "getent ahostsv4 rebinding.mom.test | head -n 1 | cut -d ' ' -f 1";
  expect(await output(machine, address)).toBe("93.184.216.34\n");
  // Its time to live is nothing.
  const outcome = await run(machine, `sleep 2; ${address}`);
  expect(outcome.out).not.toContain("127.");
});

test("a redirect to a closed address fails", async () => {
  for (const to of [
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/",
    `http://10.0.2.2:${innerPort}/`,
  ]) {
    const outcome = await run(
      machine,
      `curl -sS -L -m 20 'http://10.0.2.2:${servers.http}/redirect?to=${to}'`,
    );
    expect(outcome).toMatchObject({ exitCode: 7, out: "" });
  }
});

test("mail servers are closed, wherever they are", async () => {
  expect(await knock(["93.184.216.34"], 25)).toEqual(["93.184.216.34 closed"]);
});

test("datagrams and pings to closed addresses are refused, too", async () => {
  const said = await output(
    machine,
    `python3 -c '
import socket
for target in ("10.1.2.3", "169.254.169.254", "10.0.2.2"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); s.connect((target, ${innerPort})); s.send(b"x")
    try: s.recv(1); print("answered")
    except TimeoutError: print("timeout")
    except OSError: print("closed")'; ping -c 1 -W 5 10.1.2.3 | grep -c "Packet filtered"`,
  );
  expect(said).toBe("closed\nclosed\nclosed\n1\n");
});

test("nobody came to the host's own server", () => {
  expect(visitors).toBe(0);
});
