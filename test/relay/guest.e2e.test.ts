import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ping } from "../../relay/index.ts";
import type { Machine } from "../../workers/machine/machine.ts";
import type { NetworkParameters } from "../../workers/machine/messages.ts";
import { bytes, output, run, sharedMachine, startMachine } from "../machine/support/machine.ts";
import { ownAddresses } from "../support/own-addresses.ts";
import { type LocalServers, patternHash, startServers } from "./support/local-servers.ts";
import { type NameServer, startNameServer } from "./support/name-server.ts";
import { writeGitRepository, writeNpmRegistry, writePipIndex } from "./support/packages.ts";
import { addressOutside, OutOfReach, type Way, waysToRegistries } from "./support/registries.ts";

// What programs in a real guest do with the network, against servers on this host's loopback, which the guest reaches
// as ports of 10.0.2.2. All in one machine: a program that it has run before starts two or three times as fast.

const MB = 1_000_000;
/** MOM_TEST_NETWORK_MB=1000 moves 1 GB, which takes minutes. */
const LARGE_BYTES = Number(process.env.MOM_TEST_NETWORK_MB ?? 20) * MB;
/** No test waits for it: a megabyte takes a guest on a busy computer a good deal less. */
const LARGE_MS = 400_000 + (LARGE_BYTES / MB) * 2_000;
/** MOM_TEST_NETWORK_IDLE_S=600 is idle for ten minutes. */
const IDLE_S = Number(process.env.MOM_TEST_NETWORK_IDLE_S ?? 5);
const IDLE_MS = 400_000 + IDLE_S * 1_000;

/** The one address that is surely there, and the host's; else one that nobody has. */
const [ownAddress = "192.0.2.1"] = ownAddresses();

let servers: LocalServers;
/** With an authority of its own. */
let others: LocalServers;
let names: NameServer;
let registries: Record<"debian" | "npm", Way | OutOfReach>;
let network: NetworkParameters;
/** What the machine trusts. */
let certificates: string;
let machine: Machine;
let web: string;
let secure: string;

beforeAll(async () => {
  [servers, others, registries] = await Promise.all([
    startServers(),
    startServers(),
    waysToRegistries(),
  ]);
  const known = {
    "public.mom.test": ["93.184.216.34"],
    "_web._tcp.mom.test": ["public.mom.test"],
    "34.216.184.93.in-addr.arpa": ["public.mom.test"],
  };
  names = await startNameServer(known, addressOutside);
  const ways = Object.values(registries).flatMap((way) => (way instanceof OutOfReach ? [] : [way]));
  const opened = ways.flatMap(({ rules }) => rules);
  network = {
    backend: "relay",
    rules: [...opened, `allow icmp ${ownAddress}`, "deny tcp any 25", "allow any"].join("\n"),
    hostPorts: [servers.http, servers.https, servers.udp, servers.ntp, others.https],
    nameServers: [names.address],
    limits: {},
  };
  certificates = [servers.authority, ...ways.map(({ authority }) => authority)].join("");
  machine = await sharedMachine({ parameters: { network, certificates } });
  await output(machine, "echo '10.0.2.2 server.mom.test' >>/etc/hosts");
  web = `http://10.0.2.2:${servers.http}`;
  secure = `https://server.mom.test:${servers.https}`;
  writeNpmRegistry(servers.folder, `${web}/files`);
  writePipIndex(servers.folder);
  writeGitRepository(servers.folder);
});
afterAll(async () => {
  names?.close();
  await servers?.close();
  await others?.close();
});

test("a new sandbox has its address, its route, its name server and its gateway at once", async () => {
  expect(
    await output(
      machine,
      "ip -4 -o addr show eth0 | awk '{print $4}'; ip route show default; cat /etc/resolv.conf; ping -q -c 1 10.0.2.2 | grep -o '[0-9]* received'",
    ),
  ).toBe("10.0.2.15/24\ndefault via 10.0.2.2 dev eth0 \nnameserver 10.0.2.3\n1 received\n");
});

describe("over HTTP and HTTPS", () => {
  test.each([
    ["curl", (url: string) => `curl -sS --fail ${url}/hello`],
    ["wget", (url: string) => `wget -q -O - ${url}/hello`],
    [
      "Python's urllib",
      (url: string) =>
        `python3 -c 'import urllib.request as r; print(r.urlopen("${url}/hello").read().decode(), end="")'`,
    ],
    [
      "Node's fetch",
      (url: string) =>
        `node -e 'fetch("${url}/hello").then((r) => r.text()).then((t) => process.stdout.write(t))'`,
    ],
  ])("%s reads from a server", async (name, command) => {
    expect(await output(machine, command(secure))).toBe("hello from the host\n");
    // It takes ten seconds to start.
    if (name === "Node's fetch") return;
    expect(await output(machine, command(web))).toBe("hello from the host\n");
  });

  test("a certificate that nobody vouches for is refused", async () => {
    const outcome = await run(machine, `curl -sS https://10.0.2.2:${servers.https}/hello`);
    expect(outcome.err).toMatch(/no alternative certificate subject name/);
  });

  test(
    "what comes down has the right hash, and has it again when it is sent up",
    async () => {
      const hash = patternHash(LARGE_BYTES);
      const said = await output(
        machine,
        `curl -sS ${web}/bytes/${LARGE_BYTES} | tee >(sha256sum | cut -d ' ' -f 1 >down) | curl -sS -T - ${web}/hash
        until [ -s down ]; do sleep 0.1; done; cat down`,
        { timeoutMs: LARGE_MS },
      );
      expect(said).toBe(`${hash}\n${hash}\n`);
    },
    LARGE_MS,
  );

  test("200 downloads at once are all right", async () => {
    const said = await output(
      machine,
      `mkdir all; curl -sS -Z --parallel-immediate --parallel-max 200 -o 'all/#1' '${web}/bytes/65536?[1-200]'; sha256sum all/* | cut -d ' ' -f 1 | uniq -c`,
    );
    expect(said.trim()).toBe(`200 ${patternHash(65_536)}`);
  });

  test("200 larger ones do not fill the guest's memory: its kernel drops nothing", async () => {
    const said = await output(
      machine,
      `curl -sS -Z --parallel-immediate --parallel-max 200 -o /dev/null -w '%{size_download}\n' '${web}/bytes/2000000?[1-200]' | uniq -c
      python3 - <<'END'
names, counts = [line.split() for line in open("/proc/net/netstat") if line.startswith("TcpExt")]
counted = dict(zip(names, counts))
print(counted["TCPMemoryPressures"], counted["TCPRcvQDrop"])
END`,
    );
    expect(said.trim().split("\n")).toEqual(["200 2000000", "0 0"]);
  });

  test(
    `a connection that was idle for ${IDLE_S} s carries on`,
    async () => {
      await machine.writeFile(
        "/root/idle.py",
        bytes(`
import http.client, time
c = http.client.HTTPConnection("10.0.2.2", ${servers.http})
def ask():
    c.request("GET", "/hello")
    print(c.getresponse().read().decode(), end="")
    return c.sock
first = ask()
time.sleep(${IDLE_S})
print(ask() is first)`),
      );
      expect(await output(machine, "python3 idle.py", { timeoutMs: IDLE_MS })).toBe(
        "hello from the host\nhello from the host\nTrue\n",
      );
    },
    IDLE_MS,
  );

  test("a connection that is reset in the middle ends so in the guest", async () => {
    const outcome = await run(machine, `curl -sS -o /dev/null ${web}/reset`);
    expect(outcome.err).toMatch(/reset by peer|Recv failure|transfer closed/);
  });

  test("a server that never reads stalls the guest, and costs the host no memory", async () => {
    const before = await machine.networkStats();
    const outcome = await run(
      machine,
      `head -c 60000000 /dev/zero | timeout 4 curl -sS -T - ${web}/silent`,
    );
    expect(outcome.exitCode).toBe(124);
    const after = await machine.networkStats();
    expect(after.upBytes - before.upBytes).toBeLessThan(40 * MB);
    expect(after.bufferedBytes).toBeLessThan(8 * MB);
    expect(await output(machine, `curl -sS ${web}/hello`)).toBe("hello from the host\n");
  });
});

test("a WebSocket carries messages both ways", async () => {
  // A client of its own (RFC 6455): the guest's Node.js 18 has none.
  const script = `
import socket
s = socket.create_connection(("10.0.2.2", ${servers.http}))
s.sendall(b"GET / HTTP/1.1\\r\\nHost: mom\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
          b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: bW9tIGFuZCBoZXIgdGVzdA==\\r\\n\\r\\n")
head = b""
while not head.endswith(b"\\r\\n\\r\\n"): head += s.recv(1)
word = b"there and back"
s.sendall(bytes([0x81, 0x80 | len(word), 0, 0, 0, 0]) + word)
got = b""
while len(got) < 2 + len(word): got += s.recv(100)
print(got[2:].decode())`;
  await machine.writeFile("/root/client.py", bytes(script));
  expect(await output(machine, "python3 client.py")).toBe("there and back\n");
});

describe("package managers and git", () => {
  test("git clones over HTTPS", async () => {
    expect(
      await output(machine, `git clone -q ${secure}/files/repo.git && git -C repo log --format=%s`),
    ).toBe("second\nfirst\n");
  });

  // npm takes half a minute to load itself: one run of it installs from everywhere, and each test looks at its own.
  const NPM_PACKAGE = "ms";

  test("npm installs from a registry and a local tarball, and the program in it runs", async () => {
    const { npm } = registries;
    const outside = npm instanceof OutOfReach ? "" : `--registry ${npm.url} ${NPM_PACKAGE}`;
    const pack = `mkdir -p ~/pack/package ~/app; cd ~/pack/package
      echo '{"name":"greeter","version":"1.2.3","bin":{"greet":"greet.js"}}' >package.json
      printf '#!/usr/bin/env node\nconsole.log("hello from " + require("./package.json").version)\n' >greet.js
      cd ~/app; tar czf greeter.tgz -C ~/pack package; echo '{"name":"app","version":"1.0.0"}' >package.json
      echo '@mom:registry=${web}/files/npm/' >.npmrc`;
    await output(machine, pack);
    const install = `npm install --silent --no-audit --no-fund --no-update-notifier ${outside} @mom/tiny ./greeter.tgz`;
    const installed = await run(machine, install);
    expect(installed.err).toBe("");
    expect(installed.exitCode).toBe(0);
    expect(
      await output(
        machine,
        "cat node_modules/@mom/tiny/index.js; node_modules/.bin/greet; ls -l node_modules/.bin/greet | cut -c1",
      ),
    ).toMatch(/module.exports = "tiny but here";\nhello from 1.2.3\nl\n$/);
  });

  test("npm installs a package from the registry", async ({ skip }) => {
    if (registries.npm instanceof OutOfReach) return skip(registries.npm.message);
    expect(
      await output(machine, `cd ~/app; node -p "require('${NPM_PACKAGE}')('2 days')"; cd`),
    ).toBe("172800000\n");
  });

  test("pip downloads from an index", async () => {
    const index = `--trusted-host 10.0.2.2 -i ${web}/files/pip`;
    expect(
      await output(
        machine,
        `pip download -q ${index} mom-tiny && ls *.whl && PYTHONPATH=$(ls *.whl) python3 -c 'import mom_tiny; print(mom_tiny.word)'`,
      ),
    ).toBe("mom_tiny-1.0-py3-none-any.whl\ntiny but here\n");
  });
});

/** 8 KB, and needs no other. Of a part of Debian whose index a guest reads in seconds; that of main has 45 MB. */
const DEBIAN_PACKAGE = "crafty-bitmaps";

test("apt installs a package from Debian's mirror", async ({ skip }) => {
  if (registries.debian instanceof OutOfReach) return skip(registries.debian.message);
  const said = await output(
    machine,
    `. /etc/os-release
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    rm -f /etc/apt/sources.list.d/*
    echo "deb [signed-by=$keyring] ${registries.debian.url} $VERSION_CODENAME contrib" >/etc/apt/sources.list
    apt-get -qq update && apt-get -qq -y install ${DEBIAN_PACKAGE} >&2 && dpkg-query -W -f '\${Status}' ${DEBIAN_PACKAGE}`,
  );
  expect(said).toBe("install ok installed");
});

describe("names and datagrams", () => {
  test("names are looked up by the host's name server", async () => {
    expect(
      await output(machine, "getent ahostsv4 public.mom.test | head -n 1 | cut -d ' ' -f 1"),
    ).toBe("93.184.216.34\n");
    expect((await run(machine, "getent hosts nothing.mom.test")).exitCode).toBe(2);
  });

  test.each([
    ["an address", "public.mom.test", "93.184.216.34"],
    ["an address over TCP", "+tcp public.mom.test", "93.184.216.34"],
    ["text", "TXT public.mom.test", '"93.184.216.34"'],
    ["a mail server", "MX public.mom.test", "10 mail."],
    ["a service", "SRV _web._tcp.mom.test", "1 2 8080 public.mom.test."],
    ["the name of an address", "-x 93.184.216.34", "public.mom.test."],
    ["no address of version 6", "AAAA public.mom.test", ""],
  ])("dig finds %s", async (_, question, answer) => {
    expect((await output(machine, `dig +short ${question}`)).trim()).toBe(answer);
  });

  test("NTP tells the time, which is the guest's", async () => {
    const client = `
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(bytes([0x23]) + bytes(39) + b"question", ("10.0.2.2", ${servers.ntp}))
answer = s.recv(100)
told = struct.unpack("!I", answer[40:44])[0] - 2208988800
print(len(answer), answer[24:32].decode(), abs(told - time.time()) < 3)`;
    await machine.writeFile("/root/ntp.py", bytes(client));
    expect(await output(machine, "python3 ntp.py")).toBe("48 question True\n");
  });

  test("nc exchanges datagrams", async () => {
    expect(await output(machine, `echo over UDP | nc -u -w 1 10.0.2.2 ${servers.udp}`)).toBe(
      "over UDP\n",
    );
  });
});

test("ping reaches what the host's own ping reaches, and says so where it has none", async () => {
  const said = (await run(machine, `ping -c 1 -W 5 ${ownAddress}`)).out;
  const canPing = await ping(ownAddress, 4_000).catch(() => undefined);
  if (canPing === undefined) expect(said).toContain("Packet filtered");
  else expect(said).toContain(canPing ? "1 received" : "0 received");
});

test("a port where nobody listens refuses at once", async () => {
  const said = await output(
    machine,
    `python3 -c '
import socket, time
at = time.monotonic()
try: socket.create_connection(("10.0.2.2", 9), 60)
except OSError as error: print(type(error).__name__, time.monotonic() - at < 2)'`,
  );
  expect(said).toMatch(/^(ConnectionRefusedError|OSError) True\n$/);
});

test("a restored guest hears at once that its connections are over", async () => {
  await machine.writeFile(
    "/root/reader.py",
    bytes(`
import socket
s = socket.create_connection(("10.0.2.2", ${servers.http}))
s.sendall(b"GET /silent HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
open("/root/said", "w").write("connected")
try: s.recv(1); open("/root/said", "w").write("ended")
except OSError as error: open("/root/said", "w").write(type(error).__name__)
`),
  );
  await output(
    machine,
    "python3 reader.py & for i in $(seq 100); do grep -q connected said 2>/dev/null && break; sleep 0.1; done",
  );
  const state = await machine.save();
  await machine.reset();
  await machine.load(state);
  expect(
    await output(
      machine,
      "for i in $(seq 50); do grep -q connected said || break; sleep 0.1; done; cat said",
    ),
  ).toBe("ConnectionResetError");
  expect(await output(machine, `curl -sS ${web}/hello`)).toBe("hello from the host\n");
});

test("the operator's certificates are trusted in new threads and in those that sleep, until they are taken back", async () => {
  const machineWith = (certificates: string) =>
    startMachine({ parameters: { network, certificates } });
  const ports = [servers.https, others.https];
  const urls = ports.map((port) => `https://server.mom.test:${port}/hello`).join(" ");
  // One curl reads the bundle once for both. 000 is no answer.
  const statuses = `curl -s -o /dev/null -o /dev/null -w '%{http_code}\\n' ${urls}; true`;
  const count = "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt";

  const first = await machineWith("");
  onTestFinished(() => first.stop());
  await output(first, "echo '10.0.2.2 server.mom.test' >>/etc/hosts");
  expect(await output(first, statuses)).toBe("000\n000\n");
  const without = await first.save();

  // In a new thread all of these have come through above.
  await machine.load(without);
  const ask = `curl -sS -o /dev/null ${secure}/hello && echo curl
    wget -q -O /dev/null ${secure}/hello && echo wget
    python3 -c "import urllib.request as u; u.urlopen('${secure}/hello').read()" && echo python
    node -e "require('https').get('${secure}/hello', (r) => r.resume())" && echo node
    git ls-remote -q ${secure}/files/repo.git >/dev/null && echo git`;
  expect(await run(machine, ask)).toMatchObject({
    out: "curl\nwget\npython\nnode\ngit\n",
    err: "",
  });
  const withOne = await machine.save();

  // The operator changed the file while the thread slept.
  const second = await machineWith(others.authority);
  onTestFinished(() => second.stop());
  await second.load(withOne);
  expect(await output(second, statuses)).toBe("000\n200\n");
  const changed = Number(await output(second, count));
  await second.reset();
  expect(Number(await output(second, count))).toBe(changed);
  await second.stop();

  await first.load(withOne);
  expect(await output(first, statuses)).toBe("000\n000\n");
  expect(Number(await output(first, count))).toBe(changed - 1);
});
